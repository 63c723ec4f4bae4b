package dev.usher.relay;

import com.github.shyiko.mysql.binlog.event.TableMapEventData;
import com.github.shyiko.mysql.binlog.event.TableMapEventMetadata;
import com.github.shyiko.mysql.binlog.event.deserialization.ColumnType;
import java.io.Serializable;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The columns of a watched table as the database has them now, and the texts of their values in rows of the log. The log has neither the names, unless {@code
 * binlog_row_metadata} is {@code FULL}, nor the types as they were declared. Immutable.
 */
final class BinlogColumns {

    private static final String QUERY = "SELECT column_name, data_type, column_type, character_set_name,"
            + " character_octet_length, ordinal_position FROM information_schema.columns"
            + " WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";

    /** Types of the log by the names of the types in the database. Of types that are not here, none fits. */
    private static final Map<String, Set<Integer>> CODES = codes();

    private static final int UUID_BYTES = 16;

    /** A row does not fit the columns. The message has no value. */
    static final class UnfitException extends Exception {

        private static final long serialVersionUID = 1;

        UnfitException(String message) {
            super(message);
        }
    }

    private record Column(
            String name,
            String type,
            boolean isUnsigned,
            @Nullable String charset,
            long octets,
            List<String> labels) {}

    private final WatchedTable table;
    private final List<Column> columns;

    private BinlogColumns(WatchedTable table, List<Column> columns) {
        this.table = table;
        this.columns = columns;
    }

    private static Map<String, Set<Integer>> codes() {
        Map<String, Set<Integer>> codes = new HashMap<>();
        codes.put("tinyint", codes(ColumnType.TINY));
        codes.put("smallint", codes(ColumnType.SHORT));
        codes.put("mediumint", codes(ColumnType.INT24));
        codes.put("int", codes(ColumnType.LONG));
        codes.put("bigint", codes(ColumnType.LONGLONG));
        codes.put("float", codes(ColumnType.FLOAT));
        codes.put("double", codes(ColumnType.DOUBLE));
        codes.put("decimal", codes(ColumnType.NEWDECIMAL));
        codes.put("year", codes(ColumnType.YEAR));
        codes.put("date", codes(ColumnType.DATE, ColumnType.NEWDATE));
        codes.put("time", codes(ColumnType.TIME, ColumnType.TIME_V2));
        codes.put("datetime", codes(ColumnType.DATETIME, ColumnType.DATETIME_V2));
        codes.put("timestamp", codes(ColumnType.TIMESTAMP, ColumnType.TIMESTAMP_V2));
        codes.put("bit", codes(ColumnType.BIT));
        for (String text : List.of("varchar", "varbinary")) {
            codes.put(text, codes(ColumnType.VARCHAR, ColumnType.VAR_STRING));
        }
        for (String fixed : List.of("char", "binary", "uuid", "inet4", "inet6", "enum", "set")) {
            codes.put(fixed, codes(ColumnType.STRING, ColumnType.ENUM, ColumnType.SET));
        }
        for (String size : List.of("tiny", "", "medium", "long")) {
            codes.put(size + "text", codes(ColumnType.BLOB));
            codes.put(size + "blob", codes(ColumnType.BLOB));
        }
        codes.put("json", codes(ColumnType.JSON, ColumnType.BLOB));
        return Map.copyOf(codes);
    }

    private static Set<Integer> codes(ColumnType... types) {
        Set<Integer> codes = new HashSet<>();
        for (ColumnType type : types) {
            codes.add(type.getCode());
        }
        return Set.copyOf(codes);
    }

    /** Asks the database. */
    static BinlogColumns of(WatchedTable table, Connection connection) throws SQLException {
        List<Column> columns = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement(QUERY)) {
            statement.setString(1, table.schema());
            statement.setString(2, table.name());
            try (ResultSet found = statement.executeQuery()) {
                while (found.next()) {
                    if (found.getLong(6) != columns.size() + 1) {
                        // Columns that this role may not see: then the others have no number.
                        return new BinlogColumns(table, List.of());
                    }
                    String declared = found.getString(3);
                    columns.add(new Column(
                            found.getString(1),
                            found.getString(2).toLowerCase(Locale.ROOT),
                            declared.toLowerCase(Locale.ROOT).contains("unsigned"),
                            found.getString(4),
                            found.getLong(5),
                            labelsOf(declared)));
                }
            }
        }
        return new BinlogColumns(table, columns);
    }

    /** Whether there is no such table. */
    boolean isEmpty() {
        return columns.isEmpty();
    }

    /** The values of an {@code enum} or {@code set}. */
    private static List<String> labelsOf(String declared) {
        List<String> labels = new ArrayList<>();
        if (!declared.regionMatches(true, 0, "enum(", 0, 5) && !declared.regionMatches(true, 0, "set(", 0, 4)) {
            return labels;
        }
        StringBuilder label = new StringBuilder();
        boolean isInside = false;
        for (int i = declared.indexOf('(') + 1; i < declared.length(); i++) {
            char c = declared.charAt(i);
            if (c != '\'') {
                if (isInside) {
                    label.append(c);
                }
            } else if (isInside && i + 1 < declared.length() && declared.charAt(i + 1) == '\'') {
                label.append(c);
                i++;
            } else {
                if (isInside) {
                    labels.add(label.toString());
                    label.setLength(0);
                }
                isInside = !isInside;
            }
        }
        return labels;
    }

    /** The names of the columns of a table map, in the order of the log. */
    List<String> namesFor(TableMapEventData map) throws UnfitException {
        byte[] types = map.getColumnTypes();
        TableMapEventMetadata metadata = map.getEventMetadata();
        List<String> named = metadata == null ? null : metadata.getColumnNames();
        if (named != null && named.size() == types.length) {
            for (int i = 0; i < types.length; i++) {
                if (table.needs(spelled(named.get(i)))) {
                    requireFits(columnOf(named.get(i)), types[i]);
                }
            }
            return named;
        }
        if (types.length != columns.size()) {
            throw new UnfitException("the log has " + types.length + " columns of " + table + ", and the database "
                    + columns.size() + ": the table was altered");
        }
        List<String> names = new ArrayList<>();
        for (int i = 0; i < types.length; i++) {
            Column column = columns.get(i);
            requireFits(column, types[i]);
            names.add(column.name());
        }
        return names;
    }

    private void requireFits(Column column, byte type) throws UnfitException {
        Set<Integer> fitting = CODES.get(column.type());
        if (fitting != null && !fitting.contains(type & 0xFF)) {
            throw new UnfitException("the column " + column.name() + " of " + table
                    + " has another type in the log than in the database");
        }
    }

    private Column columnOf(String name) throws UnfitException {
        for (Column column : columns) {
            if (column.name().equalsIgnoreCase(name)) {
                return column;
            }
        }
        throw new UnfitException("the table " + table + " has no column " + name + " any more");
    }

    /**
     * The texts of the columns that the relay has to know.
     *
     * @param names of the columns in the log
     * @param included which of them the row has
     * @param values of those
     */
    Map<String, @Nullable String> texts(List<String> names, BitSet included, @Nullable Serializable[] values)
            throws UnfitException {
        Map<String, @Nullable String> texts = new HashMap<>();
        int next = 0;
        for (int i = 0; i < names.size(); i++) {
            if (!included.get(i)) {
                continue;
            }
            Serializable value = values[next++];
            String name = spelled(names.get(i));
            if (table.needs(name)) {
                texts.put(name, value == null ? null : textOrDigits(name, value));
            }
        }
        return texts;
    }

    /** A column that is only compared needs no more than a text that changes with it. */
    private String textOrDigits(String name, Serializable value) throws UnfitException {
        try {
            return text(columnOf(name), value);
        } catch (UnfitException e) {
            if (name.equals(table.id()) || name.equals(table.status())) {
                throw e;
            }
            return value instanceof byte[] bytes ? hex(bytes, 0) : value.toString();
        }
    }

    /** The name as the settings have it: MariaDB does not tell names of columns apart by their case. */
    private String spelled(String name) {
        if (name.equalsIgnoreCase(table.id())) {
            return table.id();
        }
        String status = table.status();
        return status != null && name.equalsIgnoreCase(status) ? status : name;
    }

    private static String text(Column column, Serializable value) throws UnfitException {
        if (value instanceof Integer number) {
            return integer(column, number);
        }
        if (value instanceof Long number) {
            return column.type().equals("set")
                    ? labels(column, number)
                    : column.isUnsigned() ? Long.toUnsignedString(number) : Long.toString(number);
        }
        if (value instanceof BitSet bits) {
            byte[] bytes = bits.toByteArray();
            byte[] reversed = new byte[bytes.length];
            for (int i = 0; i < bytes.length; i++) {
                reversed[i] = bytes[bytes.length - 1 - i];
            }
            return new BigInteger(1, reversed).toString();
        }
        if (value instanceof BigDecimal number) {
            return number.toPlainString();
        }
        if (value instanceof byte[] bytes) {
            return bytes(column, bytes);
        }
        return value.toString();
    }

    private static String integer(Column column, int number) throws UnfitException {
        return switch (column.type()) {
            case "enum" -> label(column, number);
            case "tinyint" -> Integer.toString(column.isUnsigned() ? number & 0xFF : number);
            case "smallint" -> Integer.toString(column.isUnsigned() ? number & 0xFF_FF : number);
            case "mediumint" -> Integer.toString(column.isUnsigned() ? number & 0xFF_FF_FF : number);
            case "int" -> column.isUnsigned() ? Integer.toUnsignedString(number) : Integer.toString(number);
            default -> Integer.toString(number);
        };
    }

    private static String label(Column column, int number) throws UnfitException {
        if (number < 0 || number > column.labels().size()) {
            throw new UnfitException("the column " + column.name() + " has a value that the database does not know");
        }
        return number == 0 ? "" : column.labels().get(number - 1);
    }

    private static String labels(Column column, long bits) {
        List<String> labels = new ArrayList<>();
        for (int i = 0; i < column.labels().size(); i++) {
            if ((bits >>> i & 1) == 1) {
                labels.add(column.labels().get(i));
            }
        }
        return String.join(",", labels);
    }

    private static String bytes(Column column, byte[] bytes) throws UnfitException {
        return switch (column.type()) {
            // The log leaves the zeros at the end out.
            case "binary" -> hex(bytes, (int) column.octets());
            case "uuid" -> uuid(Arrays.copyOf(bytes, UUID_BYTES));
            case "char", "varchar", "tinytext", "text", "mediumtext", "longtext" -> decoded(column, bytes);
            default -> hex(bytes, 0);
        };
    }

    private static String hex(byte[] bytes, int length) {
        return HexFormat.of().formatHex(bytes.length < length ? Arrays.copyOf(bytes, length) : bytes);
    }

    /** Some versions of MariaDB store UUIDs of the versions 1 to 5 with their five parts in the opposite order; the places of version and variant tell which. 10.11 logs all in the order of the text. */
    static String uuid(byte[] stored) {
        String hex = HexFormat.of().formatHex(stored);
        boolean isReversed = (stored[6] & 0x80) != 0 && stored[8] > 0 && stored[8] < 0x60;
        return isReversed
                ? String.join(
                        "-",
                        hex.substring(24),
                        hex.substring(20, 24),
                        hex.substring(16, 20),
                        hex.substring(12, 16),
                        hex.substring(0, 12))
                : String.join(
                        "-",
                        hex.substring(0, 8),
                        hex.substring(8, 12),
                        hex.substring(12, 16),
                        hex.substring(16, 20),
                        hex.substring(20));
    }

    private static String decoded(Column column, byte[] bytes) throws UnfitException {
        try {
            return charset(column)
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException | IllegalArgumentException e) {
            throw new UnfitException("the column " + column.name()
                    + " has a text in a character set that cannot be read: " + column.charset());
        }
    }

    private static Charset charset(Column column) {
        String name = String.valueOf(column.charset()).toLowerCase(Locale.ROOT);
        return switch (name) {
            case "utf8", "utf8mb3", "utf8mb4", "ascii" -> StandardCharsets.UTF_8;
            case "latin1" -> Charset.forName("windows-1252");
            case "ucs2", "utf16" -> StandardCharsets.UTF_16BE;
            case "utf16le" -> StandardCharsets.UTF_16LE;
            case "utf32" -> Charset.forName("UTF-32BE");
            default -> Charset.forName(name);
        };
    }
}
