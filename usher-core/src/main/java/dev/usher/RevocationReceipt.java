package dev.usher;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a change of one or several users when {@link UserCache#revoke} or {@link UserCache#revokeAll} returns: which
 * nodes have provably forgotten what was true before the change, and if not all have, why.
 *
 * <p>A node has forgotten it when the node has processed the push of the change (it is {@linkplain #nodesConfirmed confirmed}), or
 * when it has been silent for so long that it has closed its memory by itself ({@linkplain #nodesWaitedOut waited out}). When
 * that is so of every node, the receipt is confirmed: no node answers a question that comes from now on with what was true
 * before the change.
 *
 * <p>A receipt that is not confirmed is no failure of the change, which is committed, or will be ({@link Reason#AWAITING_COMMIT}).
 * {@link #reason} says what is missing. Where Redis has not taken the announcement, it is kept and sent again, and every node hears
 * of it then. Until then a node that Redis answers may answer with the old value; one that has lost Redis too asks the source once
 * the staleness bound is over.
 *
 * <p>Receipts are made by usher alone. More may be said by a receipt in later versions. Immutable.
 */
@JsonPropertyOrder({
    "confirmed",
    "grade",
    "reason",
    "redisError",
    "nodesConfirmed",
    "nodesWaitedOut",
    "nodesUnheard",
    "keysPending",
    "ended",
    "replicasAcknowledged",
    "missing",
    "took"
})
public final class RevocationReceipt {

    private final @Nullable Reason reason;
    private final @Nullable String redisError;
    private final Set<String> nodesConfirmed;
    private final Set<String> nodesWaitedOut;
    private final Set<String> nodesUnheard;
    private final Set<String> keysPending;
    private final Map<String, Integer> ended;
    private final int replicasAcknowledged;
    private final @Nullable String missing;
    private final Duration took;

    /** What a receipt proves. Later versions may know more grades. */
    public enum Grade {

        /** No node answers a question that comes from now on with what was true before the change. */
        CONFIRMED,

        /**
         * The same, as long as this primary of Redis stays it: it has replicas, and nothing shows that one of them has not taken its place, or will do so
         * without the change. The {@linkplain RevocationReceipt#reason reason} says why, and {@link RevocationReceipt#missing} what is missing.
         */
        ON_PRIMARY,

        /** Nothing of this. The {@linkplain RevocationReceipt#reason reason} says why. */
        UNCONFIRMED
    }

    /** Why a receipt is not confirmed. */
    public enum Reason {

        /** The change is announced after the commit of the transaction under way, and not at all after a rollback. */
        AWAITING_COMMIT,

        /**
         * Redis has replicas, and nothing keeps a node from believing this primary when one of them has taken its place; behind Sentinels, no majority of them has
         * named it after the change; on a Cluster, no majority of the primaries, or it has the slot for so short a time that the one before may still be believed. The
         * grade is {@link Grade#ON_PRIMARY}.
         */
        UNFENCED,

        /**
         * Not all of the replicas that were asked for, that are connected, or that Sentinels know, have acknowledged the change in time: one that takes the place
         * of the primary may not know of it. The grade is {@link Grade#ON_PRIMARY}.
         */
        NOT_REPLICATED,

        /**
         * The register of nodes in Redis has a format that this version of usher does not know: a later version has written it. Redis has taken the
         * announcement.
         */
        OTHER_REGISTER,

        /** Redis cannot be reached, did not answer in time, or is not asked until it answers. */
        NO_REDIS,

        /** Redis has refused the announcement, with an {@linkplain RevocationReceipt#redisError error}. */
        REDIS_REFUSED,

        /**
         * The connection to Redis was lost after the announcement had been taken: Redis may come back without it, and it is sent
         * again.
         */
        CONNECTION_LOST,

        /** The calling thread was interrupted while it waited for the nodes. */
        INTERRUPTED,

        /** The caches were closed meanwhile. What could not be sent before the end is in the log. */
        CLOSED,

        /** Some nodes have not been heard of, and may answer from memory for longer than this call may wait. */
        NODES_UNHEARD,

        /**
         * The {@linkplain CachePolicy#serveStaleFor policy} allows answers that are older than the staleness bound: a node that
         * has lost Redis, which no other node can know of, may give one.
         */
        STALE_ANSWERS_ALLOWED
    }

    private RevocationReceipt(
            @Nullable Reason reason,
            @Nullable String redisError,
            Set<String> nodesConfirmed,
            Set<String> nodesWaitedOut,
            Set<String> nodesUnheard,
            Set<String> keysPending,
            Map<String, Integer> ended,
            int replicasAcknowledged,
            @Nullable String missing,
            Duration took) {
        this.reason = reason;
        this.redisError = redisError;
        this.nodesConfirmed = Set.copyOf(nodesConfirmed);
        this.nodesWaitedOut = Set.copyOf(nodesWaitedOut);
        this.nodesUnheard = Set.copyOf(nodesUnheard);
        this.keysPending = Set.copyOf(keysPending);
        this.ended = Map.copyOf(ended);
        this.replicasAcknowledged = replicasAcknowledged;
        this.missing = missing;
        this.took = took;
    }

    /**
     * The receipt of a change that is announced after a commit: for a cache that knows of transactions.
     *
     * @return an unconfirmed receipt, with the reason {@link Reason#AWAITING_COMMIT}
     */
    public static RevocationReceipt awaitingCommit() {
        return unsent(Reason.AWAITING_COMMIT, null, Set.of(), Duration.ZERO);
    }

    /** Of a change that Redis has not taken, or not all of it. */
    static RevocationReceipt unsent(
            Reason reason, @Nullable String redisError, Set<String> keysPending, Duration took) {
        return new RevocationReceipt(
                reason, redisError, Set.of(), Set.of(), Set.of(), keysPending, Map.of(), 0, null, took);
    }

    /**
     * Of a change that Redis has taken, without a number that the nodes could see.
     *
     * @param redisError with which Redis has refused the number, or {@code null} when it has not answered
     */
    static RevocationReceipt unnumbered(@Nullable String redisError, Duration took) {
        return unsent(redisError == null ? Reason.NO_REDIS : Reason.REDIS_REFUSED, redisError, Set.of(), took);
    }

    /**
     * Of a change that Redis has taken.
     *
     * @param reason why it is not confirmed, or {@code null} when it is
     */
    static RevocationReceipt sent(
            @Nullable Reason reason,
            Set<String> nodesConfirmed,
            Set<String> nodesWaitedOut,
            Set<String> nodesUnheard,
            Map<String, Integer> ended,
            Duration took) {
        return new RevocationReceipt(
                reason, null, nodesConfirmed, nodesWaitedOut, nodesUnheard, Set.of(), ended, 0, null, took);
    }

    /**
     * The same receipt, of a change that so many replicas have acknowledged.
     *
     * @param missing what is missing where the change is on the primary only, or {@code null}
     */
    RevocationReceipt acknowledgedBy(int replicas, @Nullable String missing) {
        return new RevocationReceipt(
                reason,
                redisError,
                nodesConfirmed,
                nodesWaitedOut,
                nodesUnheard,
                keysPending,
                ended,
                replicas,
                grade() == Grade.ON_PRIMARY ? missing : null,
                took);
    }

    /** Whether every node has provably forgotten the old value: the grade is {@link Grade#CONFIRMED}. */
    @JsonProperty
    public boolean confirmed() {
        return reason == null;
    }

    /** What the receipt proves. */
    @JsonProperty
    public Grade grade() {
        if (reason == null) {
            return Grade.CONFIRMED;
        }
        return reason == Reason.UNFENCED || reason == Reason.NOT_REPLICATED ? Grade.ON_PRIMARY : Grade.UNCONFIRMED;
    }

    /** How many replicas of Redis have acknowledged the change, of those that it has. */
    @JsonProperty
    public int replicasAcknowledged() {
        return replicasAcknowledged;
    }

    /**
     * What is missing for a confirmed receipt, in words for an operator, such as the address of a replica that has not acknowledged the change; {@code null}
     * unless the grade is {@link Grade#ON_PRIMARY}.
     */
    @JsonProperty
    public @Nullable String missing() {
        return missing;
    }

    /** Why the receipt is not confirmed, or {@code null} when it is. Later versions may know more reasons. */
    @JsonProperty
    public @Nullable Reason reason() {
        return reason;
    }

    /**
     * The code of the error with which Redis has refused the announcement, such as {@code OOM}, {@code NOPERM} or {@code READONLY};
     * {@code null} unless the reason is {@link Reason#REDIS_REFUSED}. Never the text of the error, which may quote a command.
     */
    @JsonProperty
    public @Nullable String redisError() {
        return redisError;
    }

    /** The nodes that have processed the change. */
    @JsonProperty
    public Set<String> nodesConfirmed() {
        return nodesConfirmed;
    }

    /** The nodes that have not, and have closed their memory. */
    @JsonProperty
    public Set<String> nodesWaitedOut() {
        return nodesWaitedOut;
    }

    /**
     * The nodes that have not, and may still answer from memory: they {@linkplain CachePolicy#serveStaleFor serve stale answers},
     * have a longer staleness bound than this one, or were not waited for to the end.
     */
    @JsonProperty
    public Set<String> nodesUnheard() {
        return nodesUnheard;
    }

    /**
     * The {@linkplain UserCache#keyOf keys} of the users whose invalidation Redis has not confirmed. They are kept and sent again; of
     * several users, the others' invalidations have been taken. Empty before the commit.
     */
    @JsonProperty
    public Set<String> keysPending() {
        return keysPending;
    }

    /**
     * How many open things the {@linkplain UserCaches#onRevoked listeners} of each node have ended, by node, of nodes that have {@linkplain
     * #nodesConfirmed confirmed}; without nodes that have ended none. Where a node has seen several revocations at once, the things of all of them are
     * counted for each.
     */
    @JsonProperty
    public Map<String, Integer> ended() {
        return ended;
    }

    /** The time from the call to the receipt. */
    @JsonProperty
    public Duration took() {
        return took;
    }

    @Override
    public String toString() {
        String outcome = reason == null
                ? "confirmed"
                : grade() + " " + reason + (redisError == null ? "" : " " + redisError)
                        + (missing == null ? "" : " (" + missing + ")");
        return "RevocationReceipt[" + outcome + ", nodesConfirmed=" + nodesConfirmed + ", nodesWaitedOut="
                + nodesWaitedOut + ", nodesUnheard=" + nodesUnheard + ", keysPending=" + keysPending + ", ended="
                + ended + ", took=" + took
                + "]";
    }
}
