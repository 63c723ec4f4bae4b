package dev.usher;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/**
 * How long a facet's answers live, how long callers wait for them, and how many may.
 *
 * @param ttl the longest life of a stored value, at least one millisecond
 * @param jitter the share of a lifetime, from 0 (none) to less than 1, by which a life may be shortened at random, so
 *     that entries written together do not expire together
 * @param absentTtl the longest life of the knowledge that a user does not exist, at least one millisecond
 * @param stalenessBound how old an answer may ever be that is given without asking Redis, zero or more. Whether all changes
 *     have been seen is known ten times a second, so below some 100 ms memory answers only part of the time; zero has Redis
 *     asked each time
 * @param nearSize how many users this process remembers by itself, besides up to 1,000 who do not exist; 0 turns the near
 *     tier off, and {@code refreshAhead} with it
 * @param nearTtl the longest life of what this process remembers by itself, at least one millisecond
 * @param refreshAhead the last share of a stored value's shortest life, from 0 (never) to less than 1, in which it is loaded
 *     again in the background if this process still answers with it, so that nobody has to wait when it ends
 * @param claimWait how long a caller waits for a load that another process has under way, before it asks the source by
 *     itself; zero or more
 * @param serveStaleFor when nobody can say, for how long the last answer that this process knows, and of which it knows no
 *     change, stands in for none, counted from the moment at which it was last known to be true; zero for never. While
 *     Redis does not tell of changes, nothing is answered from memory for longer than this either, so that with zero a change
 *     that cannot be heard of is never missed. It is this process's memory: a {@code nearSize} of 0 turns it off
 * @param maxLoads how many queries of the source this process may have under way at a time, at least one
 * @param maxWaitingLoads how many callers of this process may wait at a time, zero or more: for a query of the source, for another
 *     caller's load of the same user, for a load of another process. A caller that would have to wait when so many do waits for 100 ms
 *     at most, and not at all when the source has not answered for as long; then the user is unavailable, unless memory or Redis can answer. Each of them
 *     holds a thread
 * @param maxWait how long after it came a call may still wait for such loads; zero or more. Then the user is unavailable. A query that the
 *     caller itself makes counts, and is not cut off: the source's own timeouts bound it
 */
public record CachePolicy(
        Duration ttl,
        double jitter,
        Duration absentTtl,
        Duration stalenessBound,
        long nearSize,
        Duration nearTtl,
        double refreshAhead,
        Duration claimWait,
        Duration serveStaleFor,
        int maxLoads,
        int maxWaitingLoads,
        Duration maxWait) {

    private static final Duration LONGEST = Duration.ofDays(3650);

    public CachePolicy {
        requireAtLeastOneMillisecond(ttl, "ttl");
        requireAtLeastOneMillisecond(absentTtl, "absentTtl");
        requireNotNegative(stalenessBound, "stalenessBound");
        requireAtLeastOneMillisecond(nearTtl, "nearTtl");
        requireNotNegative(claimWait, "claimWait");
        requireNotNegative(serveStaleFor, "serveStaleFor");
        requireAtLeast(0, nearSize, "nearSize");
        requireAtLeast(1, maxLoads, "maxLoads");
        requireAtLeast(0, maxWaitingLoads, "maxWaitingLoads");
        requireNotNegative(maxWait, "maxWait");
        requireShare(jitter, "jitter");
        requireShare(refreshAhead, "refreshAhead");
    }

    /**
     * The default policy: lives shortened by up to 10 %, absent users remembered for 60 s, a staleness bound of 5 s,
     * 10,000 users remembered by this process for up to 5 minutes, those of them that are asked for loaded again in the last
     * 10 % of their lives, 1 s of waiting for another process, the last known answer given for up to 5 minutes when nobody can
     * say, 4 queries of the source at a time, and up to 1,000 callers that wait for up to 3 s.
     *
     * @param ttl the longest life of a stored value, at least one millisecond
     * @return the policy
     */
    public static CachePolicy of(Duration ttl) {
        return new CachePolicy(
                ttl,
                0.1,
                Duration.ofSeconds(60),
                Duration.ofSeconds(5),
                10_000,
                Duration.ofMinutes(5),
                0.1,
                Duration.ofSeconds(1),
                Duration.ofMinutes(5),
                4,
                1000,
                Duration.ofSeconds(3));
    }

    /** This policy with another {@link #ttl}. */
    public CachePolicy withTtl(Duration ttl) {
        return with(draft -> draft.ttl = ttl);
    }

    /** This policy with another {@link #jitter}. */
    public CachePolicy withJitter(double jitter) {
        return with(draft -> draft.jitter = jitter);
    }

    /** This policy with another {@link #absentTtl}. */
    public CachePolicy withAbsentTtl(Duration absentTtl) {
        return with(draft -> draft.absentTtl = absentTtl);
    }

    /** This policy with another {@link #stalenessBound}. */
    public CachePolicy withStalenessBound(Duration stalenessBound) {
        return with(draft -> draft.stalenessBound = stalenessBound);
    }

    /** This policy with another {@link #nearSize}. */
    public CachePolicy withNearSize(long nearSize) {
        return with(draft -> draft.nearSize = nearSize);
    }

    /** This policy with another {@link #nearTtl}. */
    public CachePolicy withNearTtl(Duration nearTtl) {
        return with(draft -> draft.nearTtl = nearTtl);
    }

    /** This policy with another {@link #refreshAhead}. */
    public CachePolicy withRefreshAhead(double refreshAhead) {
        return with(draft -> draft.refreshAhead = refreshAhead);
    }

    /** This policy with another {@link #claimWait}. */
    public CachePolicy withClaimWait(Duration claimWait) {
        return with(draft -> draft.claimWait = claimWait);
    }

    /** This policy with another {@link #serveStaleFor}. */
    public CachePolicy withServeStaleFor(Duration serveStaleFor) {
        return with(draft -> draft.serveStaleFor = serveStaleFor);
    }

    /** This policy with another {@link #maxLoads}. */
    public CachePolicy withMaxLoads(int maxLoads) {
        return with(draft -> draft.maxLoads = maxLoads);
    }

    /** This policy with another {@link #maxWaitingLoads}. */
    public CachePolicy withMaxWaitingLoads(int maxWaitingLoads) {
        return with(draft -> draft.maxWaitingLoads = maxWaitingLoads);
    }

    /** This policy with another {@link #maxWait}. */
    public CachePolicy withMaxWait(Duration maxWait) {
        return with(draft -> draft.maxWait = maxWait);
    }

    private CachePolicy with(Consumer<Draft> change) {
        Draft draft = new Draft(this);
        change.accept(draft);
        return draft.finished();
    }

    /** A policy that can still be changed. */
    private static final class Draft {

        private Duration ttl;
        private double jitter;
        private Duration absentTtl;
        private Duration stalenessBound;
        private long nearSize;
        private Duration nearTtl;
        private double refreshAhead;
        private Duration claimWait;
        private Duration serveStaleFor;
        private int maxLoads;
        private int maxWaitingLoads;
        private Duration maxWait;

        private Draft(CachePolicy policy) {
            this.ttl = policy.ttl;
            this.jitter = policy.jitter;
            this.absentTtl = policy.absentTtl;
            this.stalenessBound = policy.stalenessBound;
            this.nearSize = policy.nearSize;
            this.nearTtl = policy.nearTtl;
            this.refreshAhead = policy.refreshAhead;
            this.claimWait = policy.claimWait;
            this.serveStaleFor = policy.serveStaleFor;
            this.maxLoads = policy.maxLoads;
            this.maxWaitingLoads = policy.maxWaitingLoads;
            this.maxWait = policy.maxWait;
        }

        private CachePolicy finished() {
            return new CachePolicy(
                    ttl,
                    jitter,
                    absentTtl,
                    stalenessBound,
                    nearSize,
                    nearTtl,
                    refreshAhead,
                    claimWait,
                    serveStaleFor,
                    maxLoads,
                    maxWaitingLoads,
                    maxWait);
        }
    }

    /** A lifetime shortened at random. */
    Duration jittered(Duration life) {
        return jittered(life, ThreadLocalRandom.current().nextDouble());
    }

    /**
     * A lifetime shortened at random.
     *
     * @param life the longest it may be
     * @param random from 0 (nothing is taken off) to less than 1 (nearly the whole {@link #jitter} is)
     */
    Duration jittered(Duration life, double random) {
        long millis = life.toMillis();
        return Duration.ofMillis(Math.max(1, millis - (long) (millis * jitter * random)));
    }

    /**
     * How long before its end a stored value is loaded again; zero for never. A share of the shortest life that jitter leaves,
     * so that no value is due when it has just been stored.
     */
    Duration refreshWindow() {
        return Duration.ofMillis((long) (jittered(ttl, 1).toMillis() * refreshAhead));
    }

    /**
     * How long an answer may be repeated while Redis does not tell of changes: no longer than the last known one may be when
     * nobody can say at all.
     */
    Duration unheardBound() {
        return stalenessBound.compareTo(serveStaleFor) < 0 ? stalenessBound : serveStaleFor;
    }

    /** How long a node may answer from memory after the last moment up to which it has seen every change. */
    Duration longestAnswer() {
        return stalenessBound.compareTo(serveStaleFor) > 0 ? stalenessBound : serveStaleFor;
    }

    private static void requireAtLeast(long least, long number, String name) {
        if (number < least) {
            throw new IllegalArgumentException(name + " must be at least " + least + ", but is " + number);
        }
    }

    private static void requireShare(double share, String name) {
        if (!(share >= 0 && share < 1)) {
            throw new IllegalArgumentException(name + " must be at least 0 and less than 1, but is " + share);
        }
    }

    private static void requireAtLeastOneMillisecond(Duration duration, String name) {
        if (duration.compareTo(Duration.ofMillis(1)) < 0) {
            throw new IllegalArgumentException(name + " must be at least one millisecond, but is " + duration);
        }
        requireNotTooLong(duration, name);
    }

    private static void requireNotNegative(Duration duration, String name) {
        if (duration.isNegative()) {
            throw new IllegalArgumentException(name + " must not be negative, but is " + duration);
        }
        requireNotTooLong(duration, name);
    }

    private static void requireNotTooLong(Duration duration, String name) {
        if (duration.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(name + " must be at most ten years, but is " + duration);
        }
    }
}
