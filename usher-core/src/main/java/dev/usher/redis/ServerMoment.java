package dev.usher.redis;

/**
 * A moment by the clock of a Redis server.
 *
 * @param server told apart by identity: another object once the server may be another one
 * @param leastMillis the least that its clock can have shown, in milliseconds since the epoch, or {@link #UNKNOWN}
 */
public record ServerMoment(Object server, long leastMillis) {

    /** Where the server's clock was not known. */
    public static final long UNKNOWN = Long.MIN_VALUE;

    /** A moment of no server. */
    public static ServerMoment unknown() {
        return new ServerMoment(new Object(), UNKNOWN);
    }

    /** An earlier moment, by a number of milliseconds. */
    public ServerMoment earlierBy(long millis) {
        return leastMillis == UNKNOWN ? this : new ServerMoment(server, leastMillis - millis);
    }
}
