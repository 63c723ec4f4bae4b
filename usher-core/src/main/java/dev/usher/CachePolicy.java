package dev.usher;

import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * How long a facet's answers live, how long callers wait for them, and how many may.
 *
 * <pre>{@code
 * CachePolicy policy = CachePolicy.builder().ttl(Duration.ofMinutes(10)).nearSize(0).build();
 * CachePolicy patient = policy.toBuilder().maxWait(Duration.ofSeconds(10)).build();
 * }</pre>
 *
 * <p>Later versions may know more settings. Immutable.
 */
public final class CachePolicy {

    private static final Duration LEAST_BELIEVED = Duration.ofMillis(500);
    private static final Duration MAX = Duration.ofDays(3650);

    private final Duration ttl;
    private final double jitter;
    private final Duration absentTtl;
    private final Duration stalenessBound;
    private final long nearSize;
    private final Duration nearTtl;
    private final double refreshAhead;
    private final Duration claimWait;
    private final Duration serveStaleFor;
    private final int maxLoads;
    private final int maxWaitingLoads;
    private final Duration maxWait;

    private CachePolicy(Builder builder) {
        this.ttl = builder.ttl;
        this.jitter = builder.jitter;
        this.absentTtl = builder.absentTtl;
        this.stalenessBound = builder.stalenessBound;
        this.nearSize = builder.nearSize;
        this.nearTtl = builder.nearTtl;
        this.refreshAhead = builder.refreshAhead;
        this.claimWait = builder.claimWait;
        this.serveStaleFor = builder.serveStaleFor;
        this.maxLoads = builder.maxLoads;
        this.maxWaitingLoads = builder.maxWaitingLoads;
        this.maxWait = builder.maxWait;
    }

    /** A builder of a policy, with the default of each setting. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The default policy, with another time to live.
     *
     * @param ttl see {@link #ttl()}
     * @return the policy
     * @throws IllegalArgumentException when the duration is shorter than one millisecond
     */
    public static CachePolicy of(Duration ttl) {
        return builder().ttl(ttl).build();
    }

    /** A builder with the settings of this policy. */
    public Builder toBuilder() {
        return new Builder()
                .ttl(ttl)
                .jitter(jitter)
                .absentTtl(absentTtl)
                .stalenessBound(stalenessBound)
                .nearSize(nearSize)
                .nearTtl(nearTtl)
                .refreshAhead(refreshAhead)
                .claimWait(claimWait)
                .serveStaleFor(serveStaleFor)
                .maxLoads(maxLoads)
                .maxWaitingLoads(maxWaitingLoads)
                .maxWait(maxWait);
    }

    /** The longest time to live of a stored value: 30 minutes by default. */
    public Duration ttl() {
        return ttl;
    }

    /**
     * The share of a time to live by which it may be shortened at random, so that entries written together do not expire together: from
     * 0 (not at all) to less than 1, 0.1 by default.
     */
    public double jitter() {
        return jitter;
    }

    /** The longest time to live of the knowledge that a user does not exist: 60 seconds by default. */
    public Duration absentTtl() {
        return absentTtl;
    }

    /**
     * How old an answer that is given without asking Redis may ever be: 5 seconds by default. Whether all changes have been seen is known
     * four times within the tightest bound of all facets, and ten times a second at most: below some 100 ms memory answers only part of the time. With zero, Redis is asked each time.
     */
    public Duration stalenessBound() {
        return stalenessBound;
    }

    /**
     * How many users this process keeps in memory, besides up to 1,000 that do not exist: 10,000 by default. 0 turns the near tier off, and
     * {@link #refreshAhead} with it.
     */
    public long nearSize() {
        return nearSize;
    }

    /** The longest time to live of an entry in the memory of this process: 5 minutes by default. */
    public Duration nearTtl() {
        return nearTtl;
    }

    /**
     * The last share of a stored value's shortest time to live in which it is loaded again in the background, if this process still answers
     * with it, so that no caller waits when it expires: from 0 (never) to less than 1, 0.1 by default.
     */
    public double refreshAhead() {
        return refreshAhead;
    }

    /**
     * How long a caller waits for a load that another process has under way, before it asks the source by itself: 1 second by default, zero
     * or more.
     */
    public Duration claimWait() {
        return claimWait;
    }

    /**
     * When no tier can answer, for how long the last answer that this process knows, and of which it knows no change, may stand in, counted
     * from the moment at which it was last known to be true: 5 minutes by default, zero for never. While Redis does not tell of changes,
     * memory answers for no longer than this either, so that with zero a change that cannot be heard of is never missed. The
     * last known answers are in this process's memory: a {@link #nearSize} of 0 turns them off.
     */
    public Duration serveStaleFor() {
        return serveStaleFor;
    }

    /** How many queries of the source this process may have under way at a time: 4 by default, at least one. */
    public int maxLoads() {
        return maxLoads;
    }

    /**
     * How many callers of this process may wait at a time: for a query of the source, for another caller's load of the same user, for a load
     * of another process. 1,000 by default, zero or more; each of them holds a thread. A caller that would have to wait when so many do waits
     * for 100 ms at most, and not at all when the source has not answered for as long; then the user is unavailable, unless memory or
     * Redis can answer.
     */
    public int maxWaitingLoads() {
        return maxWaitingLoads;
    }

    /**
     * How long after its beginning a call may still wait for such loads: 3 seconds by default, zero or more. Then the user is unavailable.
     * A query that the caller itself makes counts, and is not cut off: the source's own timeouts bound it.
     */
    public Duration maxWait() {
        return maxWait;
    }

    /** A time to live shortened at random. */
    Duration jittered(Duration life) {
        return jittered(life, ThreadLocalRandom.current().nextDouble());
    }

    /**
     * A time to live shortened at random.
     *
     * @param life the longest it may be
     * @param random from 0 (nothing is taken off) to less than 1 (nearly the whole {@link #jitter} is)
     */
    Duration jittered(Duration life, double random) {
        long millis = life.toMillis();
        return Duration.ofMillis(Math.max(1, millis - (long) (millis * jitter * random)));
    }

    /**
     * How long before its end a stored value is loaded again; zero for never. A share of the shortest time to live that jitter leaves,
     * so that no value is due when it has just been stored.
     */
    Duration refreshWindow() {
        return Duration.ofMillis((long) (jittered(ttl, 1).toMillis() * refreshAhead));
    }

    /**
     * How long an answer may be repeated while Redis does not tell of changes: no longer than the last known answer may be when no tier
     * can answer.
     */
    Duration unheardBound() {
        return stalenessBound.compareTo(serveStaleFor) < 0 ? stalenessBound : serveStaleFor;
    }

    /** How long a node may answer from memory after the last moment up to which it has seen every change. */
    Duration longestAnswer() {
        return stalenessBound.compareTo(serveStaleFor) > 0 ? stalenessBound : serveStaleFor;
    }

    /** Whether no node answers with what it cannot hear the changes of. */
    boolean failsClosed() {
        return serveStaleFor.isZero();
    }

    /** How long a node whose writes Redis does not take believes Redis, in a facet that fails closed: a few heartbeats at least. */
    Duration believedFor() {
        return stalenessBound.compareTo(LEAST_BELIEVED) < 0 ? LEAST_BELIEVED : stalenessBound;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof CachePolicy policy
                && ttl.equals(policy.ttl)
                && Double.compare(jitter, policy.jitter) == 0
                && absentTtl.equals(policy.absentTtl)
                && stalenessBound.equals(policy.stalenessBound)
                && nearSize == policy.nearSize
                && nearTtl.equals(policy.nearTtl)
                && Double.compare(refreshAhead, policy.refreshAhead) == 0
                && claimWait.equals(policy.claimWait)
                && serveStaleFor.equals(policy.serveStaleFor)
                && maxLoads == policy.maxLoads
                && maxWaitingLoads == policy.maxWaitingLoads
                && maxWait.equals(policy.maxWait);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
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

    @Override
    public String toString() {
        return "CachePolicy[ttl=" + ttl + ", jitter=" + jitter + ", absentTtl=" + absentTtl + ", stalenessBound="
                + stalenessBound + ", nearSize=" + nearSize + ", nearTtl=" + nearTtl + ", refreshAhead=" + refreshAhead
                + ", claimWait=" + claimWait + ", serveStaleFor=" + serveStaleFor + ", maxLoads=" + maxLoads
                + ", maxWaitingLoads=" + maxWaitingLoads + ", maxWait=" + maxWait + "]";
    }

    /** Collects the settings of a {@link CachePolicy}. A setting that makes no sense is refused at once. Not thread-safe. */
    public static final class Builder {

        private Duration ttl = Duration.ofMinutes(30);
        private double jitter = 0.1;
        private Duration absentTtl = Duration.ofSeconds(60);
        private Duration stalenessBound = Duration.ofSeconds(5);
        private long nearSize = 10_000;
        private Duration nearTtl = Duration.ofMinutes(5);
        private double refreshAhead = 0.1;
        private Duration claimWait = Duration.ofSeconds(1);
        private Duration serveStaleFor = Duration.ofMinutes(5);
        private int maxLoads = 4;
        private int maxWaitingLoads = 1000;
        private Duration maxWait = Duration.ofSeconds(3);

        private Builder() {}

        /**
         * Sets {@link CachePolicy#ttl}.
         *
         * @param ttl at least one millisecond, at most ten years
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder ttl(Duration ttl) {
            requireAtLeastOneMillisecond(ttl, "ttl");
            this.ttl = ttl;
            return this;
        }

        /**
         * Sets {@link CachePolicy#jitter}.
         *
         * @param jitter at least 0, and less than 1
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder jitter(double jitter) {
            requireShare(jitter, "jitter");
            this.jitter = jitter;
            return this;
        }

        /**
         * Sets {@link CachePolicy#absentTtl}.
         *
         * @param absentTtl at least one millisecond, at most ten years
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder absentTtl(Duration absentTtl) {
            requireAtLeastOneMillisecond(absentTtl, "absentTtl");
            this.absentTtl = absentTtl;
            return this;
        }

        /**
         * Sets {@link CachePolicy#stalenessBound}.
         *
         * @param stalenessBound zero or more, at most ten years
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder stalenessBound(Duration stalenessBound) {
            requireNotNegative(stalenessBound, "stalenessBound");
            this.stalenessBound = stalenessBound;
            return this;
        }

        /**
         * Sets {@link CachePolicy#nearSize}.
         *
         * @param nearSize zero or more
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder nearSize(long nearSize) {
            requireAtLeast(0, nearSize, "nearSize");
            this.nearSize = nearSize;
            return this;
        }

        /**
         * Sets {@link CachePolicy#nearTtl}.
         *
         * @param nearTtl at least one millisecond, at most ten years
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder nearTtl(Duration nearTtl) {
            requireAtLeastOneMillisecond(nearTtl, "nearTtl");
            this.nearTtl = nearTtl;
            return this;
        }

        /**
         * Sets {@link CachePolicy#refreshAhead}.
         *
         * @param refreshAhead at least 0, and less than 1
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder refreshAhead(double refreshAhead) {
            requireShare(refreshAhead, "refreshAhead");
            this.refreshAhead = refreshAhead;
            return this;
        }

        /**
         * Sets {@link CachePolicy#claimWait}.
         *
         * @param claimWait zero or more, at most ten years
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder claimWait(Duration claimWait) {
            requireNotNegative(claimWait, "claimWait");
            this.claimWait = claimWait;
            return this;
        }

        /**
         * Sets {@link CachePolicy#serveStaleFor}.
         *
         * @param serveStaleFor zero or more, at most ten years
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder serveStaleFor(Duration serveStaleFor) {
            requireNotNegative(serveStaleFor, "serveStaleFor");
            this.serveStaleFor = serveStaleFor;
            return this;
        }

        /**
         * Sets {@link CachePolicy#maxLoads}.
         *
         * @param maxLoads at least one
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder maxLoads(int maxLoads) {
            requireAtLeast(1, maxLoads, "maxLoads");
            this.maxLoads = maxLoads;
            return this;
        }

        /**
         * Sets {@link CachePolicy#maxWaitingLoads}.
         *
         * @param maxWaitingLoads zero or more
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder maxWaitingLoads(int maxWaitingLoads) {
            requireAtLeast(0, maxWaitingLoads, "maxWaitingLoads");
            this.maxWaitingLoads = maxWaitingLoads;
            return this;
        }

        /**
         * Sets {@link CachePolicy#maxWait}.
         *
         * @param maxWait zero or more, at most ten years
         * @return this builder
         * @throws IllegalArgumentException when it is not
         */
        public Builder maxWait(Duration maxWait) {
            requireNotNegative(maxWait, "maxWait");
            this.maxWait = maxWait;
            return this;
        }

        /** The policy. The builder can be used again. */
        public CachePolicy build() {
            return new CachePolicy(this);
        }

        private static void requireAtLeast(long min, long number, String name) {
            if (number < min) {
                throw new IllegalArgumentException(name + " must be at least " + min + ", but is " + number);
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
            if (duration.compareTo(MAX) > 0) {
                throw new IllegalArgumentException(name + " must be at most ten years, but is " + duration);
            }
        }
    }
}
