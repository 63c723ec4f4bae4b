package dev.usher;

import dev.usher.redis.ServerMoment;
import java.time.Duration;

/**
 * A moment before a row was read, by the clock of the Redis server that will judge whether the row may be stored: see {@link
 * UserCache#beforeRead} and {@link UserCache#save(Object, Object, ReadMark)}.
 *
 * <p>No clock of this machine has a part in it, so that a clock which is set back lets no old row in. It is void once the
 * connection to that server has been lost, or the server has been flushed: what the server knew of changes may be gone then.
 *
 * <p>Immutable. It is worth something for about four seconds, in the process that has taken it.
 */
public final class ReadMark {

    private final ServerMoment moment;

    ReadMark(ServerMoment moment) {
        this.moment = moment;
    }

    /**
     * The mark of an earlier moment, for a row that may be older than the query which has found it: of a snapshot, such as that of
     * a transaction.
     *
     * @param age by how much earlier; not negative
     * @throws IllegalArgumentException when it is negative
     */
    public ReadMark earlierBy(Duration age) {
        if (age.isNegative()) {
            throw new IllegalArgumentException("a mark of a later moment, by " + age);
        }
        return new ReadMark(moment.earlierBy(age.toMillis() + 1));
    }

    /** The moment, by the clock of the server that is to judge. */
    ServerMoment moment() {
        return moment;
    }
}
