package dev.usher;

import dev.usher.redis.SharedTier;

/**
 * Whether a node believes what Redis says of a user, in one facet; otherwise it asks the source. Thread-safe.
 *
 * <p>It does not while a change of its own is not confirmed. In a facet that fails closed, neither while Redis has taken no write of this node for the staleness
 * bound, since it may have been replaced, or cannot take the fence of a ban; nor for a while after the user was revoked.
 */
final class Belief {

    private final FenceOutbox fences;
    private final SharedTier shared;
    private final boolean failsClosed;
    private final long boundNanos;

    Belief(FenceOutbox fences, SharedTier shared, CachePolicy policy) {
        this.fences = fences;
        this.shared = shared;
        this.failsClosed = policy.failsClosed();
        this.boundNanos = policy.believedFor().toNanos();
    }

    /** Whether it believes what Redis says under a key. To be asked before Redis is. */
    boolean in(String key) {
        if (failsClosed) {
            fenceAgain(key);
        }
        return !fences.isPending(key) && stillIn(key);
    }

    /**
     * Of a revocation that another node has announced, this node has only the hash of the key. It learns the key when it is asked for it, and can then send the
     * fence again: at once if a new primary may be without it, else when one comes.
     */
    private void fenceAgain(String key) {
        if (shared.isUnfenced(key)) {
            fences.resend(key);
            shared.fenced(key);
        } else if (shared.wasRevokedLately(key)) {
            fences.remember(key);
        }
    }

    /**
     * Whether it believes what Redis has said. To be asked when the answer has come: a caller that came before a change of this node may still have it, but not when
     * Redis was not to be believed.
     */
    boolean stillIn(String key) {
        return !failsClosed || shared.isBelieved(key, boundNanos);
    }
}
