package dev.usher.relay;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * An event of a binlog as it arrived, without its checksum. MariaDB's compressed events can be unpacked, into those that the library reads.
 * Immutable.
 */
final class BinlogEvent {

    static final int QUERY = 2;
    static final int ROTATE = 4;
    static final int LOAD = 6;
    static final int EXEC_LOAD = 10;
    static final int NEW_LOAD = 12;
    static final int FORMAT_DESCRIPTION = 15;
    static final int XID = 16;
    static final int EXECUTE_LOAD_QUERY = 18;
    static final int TABLE_MAP = 19;
    static final int OLDEST_ROWS = 20;
    static final int WRITE_ROWS_V1 = 23;
    static final int UPDATE_ROWS_V1 = 24;
    static final int DELETE_ROWS_V1 = 25;
    static final int INCIDENT = 26;
    static final int HEARTBEAT = 27;
    static final int WRITE_ROWS = 30;
    static final int UPDATE_ROWS = 31;
    static final int DELETE_ROWS = 32;
    static final int GTID = 33;
    static final int ANONYMOUS_GTID = 34;
    static final int XA_PREPARE = 38;
    static final int PARTIAL_UPDATE_ROWS = 39;
    static final int TRANSACTION_PAYLOAD = 40;
    static final int HEARTBEAT_2 = 41;
    static final int GTID_TAGGED = 42;
    static final int MARIADB_GTID = 162;
    static final int QUERY_COMPRESSED = 165;
    static final int WRITE_ROWS_COMPRESSED_V1 = 166;
    static final int UPDATE_ROWS_COMPRESSED_V1 = 167;
    static final int DELETE_ROWS_COMPRESSED_V1 = 168;
    static final int WRITE_ROWS_COMPRESSED = 169;
    static final int UPDATE_ROWS_COMPRESSED = 170;
    static final int DELETE_ROWS_COMPRESSED = 171;

    static final int HEADER = 19;
    private static final int ARTIFICIAL = 0x20;
    private static final int IGNORABLE = 0x80;
    private static final int CHECKSUM = 4;
    private static final int MAX_UNPACKED = 1 << 30;

    private final byte[] bytes;
    private final int length;

    /**
     * Of its bytes.
     *
     * @param bytes with the header
     * @param length as in the file, where the event has a checksum
     */
    BinlogEvent(byte[] bytes, int length) {
        this.bytes = bytes;
        this.length = length;
    }

    /**
     * Of bytes that have arrived.
     *
     * @param hasChecksum whether the log has checksums
     */
    static BinlogEvent of(byte[] arrived, boolean hasChecksum) {
        return new BinlogEvent(
                hasChecksum ? Arrays.copyOf(arrived, arrived.length - CHECKSUM) : arrived, arrived.length);
    }

    private ByteBuffer buffer() {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static long unsigned(int number) {
        return number & 0xFFFF_FFFFL;
    }

    int type() {
        return bytes[4] & 0xFF;
    }

    /** When it was written, in seconds. */
    long second() {
        return unsigned(buffer().getInt(0));
    }

    /** Where the next event begins in the file, or 0 in an event that is in none. */
    long next() {
        return unsigned(buffer().getInt(13));
    }

    /** Where it begins itself. */
    long begin() {
        return next() - length;
    }

    boolean isInTheFile() {
        return next() > 0 && (buffer().getShort(17) & ARTIFICIAL) == 0;
    }

    boolean isIgnorable() {
        return (buffer().getShort(17) & IGNORABLE) != 0;
    }

    /** In a format description: whether the events have checksums. */
    static boolean saysChecksums(byte[] formatDescription) {
        return formatDescription.length > HEADER + CHECKSUM
                && formatDescription[formatDescription.length - CHECKSUM - 1] == 1;
    }

    /** In a rotation: the name of the file that follows. */
    String nextFile() {
        return new String(bytes, HEADER + 8, bytes.length - HEADER - 8, StandardCharsets.UTF_8);
    }

    /** In a rotation: where that begins. */
    long nextOffset() {
        return buffer().getLong(HEADER);
    }

    /** In a GTID of MariaDB: whether the one event that follows is all. */
    boolean isStandalone() {
        return bytes.length > HEADER + 12 && (bytes[HEADER + 12] & 1) != 0;
    }

    /** In a table map and in rows: the number of the table. */
    long table() {
        return unsigned(buffer().getInt(HEADER)) | (long) (buffer().getShort(HEADER + 4) & 0xFFFF) << 32;
    }

    /** In a table map: database and table, parted by a zero. */
    String mapped() {
        int databaseAt = HEADER + 8;
        int databaseLength = bytes[databaseAt] & 0xFF;
        int tableAt = databaseAt + databaseLength + 2;
        int tableLength = bytes[tableAt] & 0xFF;
        return new String(bytes, databaseAt + 1, databaseLength, StandardCharsets.UTF_8)
                + '\0'
                + new String(bytes, tableAt + 1, tableLength, StandardCharsets.UTF_8);
    }

    /** What tells it apart from any other event. */
    String digest() {
        CRC32 digest = new CRC32();
        digest.update(bytes);
        return Long.toHexString(digest.getValue());
    }

    /** A statement and the default database of its session. */
    record Query(String database, String sql) {}

    /**
     * The statement of a query.
     *
     * @throws DataFormatException when it cannot be unpacked
     */
    Query query() throws DataFormatException {
        int databaseLength = bytes[HEADER + 8] & 0xFF;
        int statusLength = buffer().getShort(HEADER + 11) & 0xFFFF;
        int databaseAt = HEADER + 13 + statusLength;
        int sqlAt = databaseAt + databaseLength + 1;
        byte[] sql = type() == QUERY_COMPRESSED ? unpacked(sqlAt) : Arrays.copyOfRange(bytes, sqlAt, bytes.length);
        return new Query(
                new String(bytes, databaseAt, databaseLength, StandardCharsets.UTF_8),
                new String(sql, StandardCharsets.UTF_8));
    }

    boolean isCompressedRows() {
        return type() >= WRITE_ROWS_COMPRESSED_V1 && type() <= DELETE_ROWS_COMPRESSED;
    }

    boolean isUpdate() {
        return type() == UPDATE_ROWS_V1
                || type() == UPDATE_ROWS
                || type() == UPDATE_ROWS_COMPRESSED_V1
                || type() == UPDATE_ROWS_COMPRESSED
                || type() == PARTIAL_UPDATE_ROWS;
    }

    boolean isDelete() {
        return type() == DELETE_ROWS_V1
                || type() == DELETE_ROWS
                || type() == DELETE_ROWS_COMPRESSED_V1
                || type() == DELETE_ROWS_COMPRESSED;
    }

    boolean isRows() {
        return (type() >= WRITE_ROWS_V1 && type() <= DELETE_ROWS_V1)
                || (type() >= WRITE_ROWS && type() <= DELETE_ROWS)
                || isCompressedRows();
    }

    /**
     * As the library reads it: not compressed, with the length of its bytes.
     *
     * @throws DataFormatException when it cannot be unpacked
     */
    byte[] plain() throws DataFormatException {
        byte[] plain = bytes.clone();
        if (isCompressedRows()) {
            boolean isOld = type() < WRITE_ROWS_COMPRESSED;
            int kind = type() - (isOld ? WRITE_ROWS_COMPRESSED_V1 : WRITE_ROWS_COMPRESSED);
            int rowsAt = rowsAt(isOld, kind == 1);
            byte[] rows = unpacked(rowsAt);
            ByteArrayOutputStream joined = new ByteArrayOutputStream(rowsAt + rows.length);
            joined.write(bytes, 0, rowsAt);
            joined.write(rows, 0, rows.length);
            plain = joined.toByteArray();
            plain[4] = (byte) ((isOld ? WRITE_ROWS_V1 : WRITE_ROWS) + kind);
        }
        ByteBuffer.wrap(plain).order(ByteOrder.LITTLE_ENDIAN).putInt(9, plain.length);
        return plain;
    }

    /** Behind the number of the columns, and which of them the rows have. */
    private int rowsAt(boolean isOld, boolean isUpdate) throws DataFormatException {
        int at = HEADER + 8;
        if (!isOld) {
            at += buffer().getShort(at) & 0xFFFF;
        }
        int columns = bytes[at] & 0xFF;
        at++;
        if (columns == 252) {
            columns = buffer().getShort(at) & 0xFFFF;
            at += 2;
        } else if (columns > 250) {
            throw new DataFormatException("an unknown number of columns");
        }
        return at + (columns + 7) / 8 * (isUpdate ? 2 : 1);
    }

    /** MariaDB's own format: one byte with the number of bytes of the length, the length, and what zlib has made. */
    private byte[] unpacked(int from) throws DataFormatException {
        int head = bytes[from] & 0xFF;
        int digits = head & 7;
        if ((head & 0x80) == 0 || (head & 0x70) != 0 || digits < 1 || digits > 4) {
            throw new DataFormatException("an unknown compression");
        }
        long length = 0;
        for (int i = 1; i <= digits; i++) {
            length = length << 8 | (bytes[from + i] & 0xFF);
        }
        if (length > MAX_UNPACKED) {
            throw new DataFormatException("it is too large");
        }
        byte[] unpacked = new byte[(int) length];
        Inflater inflater = new Inflater();
        try {
            inflater.setInput(bytes, from + 1 + digits, bytes.length - from - 1 - digits);
            int filled = 0;
            while (filled < unpacked.length) {
                int more = inflater.inflate(unpacked, filled, unpacked.length - filled);
                if (more == 0) {
                    throw new DataFormatException("it is not complete");
                }
                filled += more;
            }
            return unpacked;
        } finally {
            inflater.end();
        }
    }

    /** Without its bytes, which hold rows. */
    @Override
    public String toString() {
        return "event of the type " + type() + " up to " + next();
    }
}
