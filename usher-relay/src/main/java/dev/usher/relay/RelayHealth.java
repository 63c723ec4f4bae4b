package dev.usher.relay;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a {@link ChangeRelay} is doing. More may be said in later versions. Immutable.
 */
public final class RelayHealth {

    /** What a relay does. Later versions may know more states. */
    public enum State {

        /** It has not looked at the database yet. */
        STARTING,

        /** It is the active one: it reads the log and announces what it reads. */
        FOLLOWING,

        /** Another relay is the active one; this one takes over when that has ended. */
        STANDBY,

        /** It does not follow: the {@linkplain RelayHealth#lastError last error} says why. It tries again each second. */
        BROKEN,

        /** It has been closed. */
        CLOSED
    }

    private final State state;
    private final String feed;
    private final Duration lag;
    private final ChangeFeed.@Nullable Standing standing;
    private final long events;
    private final long fences;
    private final long revocations;
    private final long flushes;
    private final boolean flushing;
    private final @Nullable String lastError;

    RelayHealth(
            State state,
            String feed,
            Duration lag,
            ChangeFeed.@Nullable Standing standing,
            Announcer.Counts counts,
            Flushes flushes,
            @Nullable String lastError) {
        this.state = state;
        this.feed = feed;
        this.lag = lag;
        this.standing = standing;
        this.events = counts.events.sum();
        this.fences = counts.fences.sum();
        this.revocations = counts.revocations.sum();
        this.flushes = flushes.count();
        this.flushing = !flushes.isDone();
        this.lastError = lastError;
    }

    /** What the relay does. */
    public State state() {
        return state;
    }

    /** Whether this is the relay that reads the log. */
    public boolean isActive() {
        return state == State.FOLLOWING;
    }

    /** The name of the feed. */
    public String feed() {
        return feed;
    }

    /** For how long the oldest change has been committed that this relay has read and not announced yet; zero when there is none. The clocks differ. */
    public Duration lag() {
        return lag;
    }

    /** How much of the log the database keeps for the relays, in bytes, as of the last look; -1 while that is not known. */
    public long retained() {
        return standing == null ? -1 : standing.retained();
    }

    /** Where the position is, as of the last look, or {@code null} while that is not known. */
    public @Nullable Long position() {
        return standing == null ? null : standing.place();
    }

    /** What the database says of the position, in words, such as the state of the slot; or {@code null} while that is not known. */
    public @Nullable String detail() {
        return standing == null ? null : standing.detail();
    }

    /** How many changes have been read. */
    public long events() {
        return events;
    }

    /** How many users have been fenced, counted once in each batch of changes. */
    public long fences() {
        return fences;
    }

    /** How many of them have been revoked. */
    public long revocations() {
        return revocations;
    }

    /** How often everything had to be flushed. */
    public long flushes() {
        return flushes;
    }

    /** Whether a flush is under way; the position stays where it is meanwhile. */
    public boolean isFlushing() {
        return flushing;
    }

    /** What is wrong, in words without anything of a user, or {@code null} when nothing is. */
    public @Nullable String lastError() {
        return lastError;
    }

    @Override
    public String toString() {
        return state + (lastError == null ? "" : ": " + lastError);
    }
}
