package dev.usher.relay;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A place in a binlog, as one number: that of the file, and the offset in it.
 *
 * @param file as in {@code binlog.000017}: 17
 * @param offset in bytes
 */
record BinlogPlace(long file, long offset) {

    private static final int OFFSET_BITS = 36;
    private static final Pattern NAME = Pattern.compile("(?<base>.+)\\.(?<number>\\d{1,8})");

    BinlogPlace {
        if (file < 0 || file >= 1L << (63 - OFFSET_BITS) || offset < 0 || offset >= 1L << OFFSET_BITS) {
            throw new IllegalArgumentException("no place in a binlog: file " + file + ", offset " + offset);
        }
    }

    static BinlogPlace of(long number) {
        return new BinlogPlace(number >>> OFFSET_BITS, number & ((1L << OFFSET_BITS) - 1));
    }

    /** Of the file with a name. */
    static BinlogPlace in(String name, long offset) throws ChangeFeedException {
        return new BinlogPlace(Long.parseLong(parts(name).group("number")), offset);
    }

    /** The name of the files without their number. */
    static String baseOf(String name) throws ChangeFeedException {
        return parts(name).group("base");
    }

    private static Matcher parts(String name) throws ChangeFeedException {
        Matcher parts = NAME.matcher(name);
        if (!parts.matches()) {
            throw new ChangeFeedException("the name of a file of the binlog has no number: " + name);
        }
        return parts;
    }

    /** It grows with the log. */
    long number() {
        return (file << OFFSET_BITS) | offset;
    }

    /** The name of the file, which has six digits or more. */
    String name(String base) {
        return base + String.format(Locale.ROOT, ".%06d", file);
    }
}
