package dev.usher.testkit;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/**
 * Replaces ports in the answers of a Redis: a colon and five digits, as in {@code CLUSTER NODES}, {@code CLUSTER SLOTS} and {@code MOVED}. Other answers with the
 * same digits are replaced as well. Of one connection; not thread-safe.
 */
final class RenamedPorts {
    private static final byte[] NOTHING = {};
    private static final int DIGITS = 5;

    private final Map<Integer, Integer> ports;

    /** The end of what was read, which may be the beginning of a port. */
    private byte[] held = NOTHING;

    /**
     * Nothing has been read yet.
     *
     * @param ports by the port that the server names, the one that the client is told; all of five digits
     */
    RenamedPorts(Map<Integer, Integer> ports) {
        this.ports = ports;
    }

    /** What is passed on of the next bytes. */
    byte[] next(byte[] bytes, int length) {
        if (ports.isEmpty()) {
            return Arrays.copyOf(bytes, length);
        }
        byte[] all = Arrays.copyOf(held, held.length + length);
        System.arraycopy(bytes, 0, all, held.length, length);
        for (int at = 0; at < all.length; at++) {
            if (all[at] == ':') {
                int digits = digitsFrom(all, at + 1);
                if (at + 1 + digits == all.length && digits <= DIGITS) {
                    held = Arrays.copyOfRange(all, at, all.length);
                    return Arrays.copyOf(all, at);
                }
                if (digits == DIGITS) {
                    rename(all, at + 1);
                }
            }
        }
        held = NOTHING;
        return all;
    }

    /** What is still held, when there are no more bytes. */
    byte[] last() {
        return held;
    }

    private static int digitsFrom(byte[] bytes, int from) {
        int at = from;
        while (at < bytes.length && bytes[at] >= '0' && bytes[at] <= '9') {
            at++;
        }
        return at - from;
    }

    private void rename(byte[] bytes, int from) {
        int port = Integer.parseInt(new String(bytes, from, DIGITS, StandardCharsets.US_ASCII));
        Integer renamed = ports.get(port);
        if (renamed != null) {
            byte[] digits = Integer.toString(renamed).getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(digits, 0, bytes, from, DIGITS);
        }
    }
}
