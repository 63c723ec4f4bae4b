package dev.usher.relay;

import java.util.Arrays;
import java.util.Collection;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What a session of PostgreSQL sees, by the <a href="https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT">snapshot</a> that the server
 * gives it. Immutable.
 *
 * @param xmax no transaction from this number on is seen
 * @param underWay those before it that are not seen
 */
record PostgresSnapshot(long xmax, Set<Long> underWay) {

    private static final int BITS = 32;

    /** From a text as in {@code 735:741:735,738}. */
    static PostgresSnapshot of(String text) {
        String[] parts = text.split(":", -1);
        Set<Long> underWay = parts[2].isEmpty()
                ? Set.of()
                : Arrays.stream(parts[2].split(",")).map(Long::valueOf).collect(Collectors.toUnmodifiableSet());
        return new PostgresSnapshot(Long.parseLong(parts[1]), underWay);
    }

    /**
     * Whether all of some transactions that have been committed are seen.
     *
     * @param transactions the lower 32 bits of their numbers, as the log has them
     */
    boolean sees(Collection<Long> transactions) {
        return transactions.stream()
                .mapToLong(this::whole)
                .allMatch(number -> number < xmax && !underWay.contains(number));
    }

    /** The number with those lower bits that is nearest to this snapshot: the log goes back for less than two billion transactions. */
    private long whole(long lowerBits) {
        long lower = lowerBits & 0xFFFF_FFFFL;
        long near = (xmax >>> BITS << BITS) | lower;
        if (near > xmax + (1L << (BITS - 1))) {
            return near - (1L << BITS);
        }
        return near < xmax - (1L << (BITS - 1)) ? near + (1L << BITS) : near;
    }
}
