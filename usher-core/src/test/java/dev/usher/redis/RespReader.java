package dev.usher.redis;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Reads what Redis says in RESP3, as far as usher's own scripts and commands have it said. Not thread-safe. */
final class RespReader {

    /** Something that Redis says by itself. */
    record Push(List<@Nullable Object> words) {}

    /** An error. */
    record Refusal(String text) {}

    private static final class Incomplete extends RuntimeException {

        private static final long serialVersionUID = 1;

        private Incomplete() {
            super(null, null, false, false);
        }
    }

    private ByteBuffer buffer = ByteBuffer.allocate(1 << 12);

    /** To be written to, until it is full. */
    ByteBuffer buffer() {
        if (!buffer.hasRemaining()) {
            ByteBuffer larger = ByteBuffer.allocate(2 * buffer.capacity());
            buffer.flip();
            larger.put(buffer);
            buffer = larger;
        }
        return buffer;
    }

    /**
     * All that has come.
     *
     * @return texts and numbers, {@code null}, lists of them, {@link Push} or {@link Refusal}
     */
    List<@Nullable Object> read() {
        List<@Nullable Object> read = new ArrayList<>();
        buffer.flip();
        int end = 0;
        try {
            while (buffer.hasRemaining()) {
                read.add(next());
                end = buffer.position();
            }
        } catch (Incomplete e) {
            buffer.position(end);
        }
        buffer.compact();
        return read;
    }

    private @Nullable Object next() {
        char type = (char) (need(1).get() & 0xff);
        String line = line();
        return switch (type) {
            case '+' -> line;
            case '-' -> new Refusal(line);
            case ':' -> Long.valueOf(line);
            case '$', '=' -> bulk(Integer.parseInt(line));
            case '*', '~' -> list(Integer.parseInt(line));
            case '>' -> new Push(list(Integer.parseInt(line)));
            case '%' -> list(2 * Integer.parseInt(line));
            case '_' -> null;
            default -> throw new IllegalStateException("unknown type " + type);
        };
    }

    private @Nullable String bulk(int length) {
        if (length < 0) {
            return null;
        }
        byte[] bytes = new byte[length];
        need(length + 2).get(bytes);
        buffer.position(buffer.position() + 2);
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    private List<@Nullable Object> list(int size) {
        List<@Nullable Object> list = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            list.add(next());
        }
        return list;
    }

    private String line() {
        int start = buffer.position();
        for (int i = start; i < buffer.limit() - 1; i++) {
            if (buffer.get(i) == '\r') {
                byte[] bytes = new byte[i - start];
                buffer.get(bytes);
                buffer.position(i + 2);
                return new String(bytes, StandardCharsets.ISO_8859_1);
            }
        }
        throw new Incomplete();
    }

    private ByteBuffer need(int bytes) {
        if (buffer.remaining() < bytes) {
            throw new Incomplete();
        }
        return buffer;
    }
}
