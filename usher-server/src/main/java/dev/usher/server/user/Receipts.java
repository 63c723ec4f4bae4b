package dev.usher.server.user;

import dev.usher.RevocationReceipt;
import dev.usher.UserCache;
import dev.usher.UserStatusCache;
import dev.usher.server.ServerLimits;
import dev.usher.server.token.Access;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import org.springframework.stereotype.Component;

/**
 * Announces committed changes of what users may do, and waits for their receipts. The threads that wait are bounded; where there are too many,
 * a change is announced and not waited for. Thread-safe.
 */
@Component
public final class Receipts {

    private final UserStatusCache<Long> statuses;
    private final UserCache<Long, Access> accesses;

    /** A permit for each receipt that a thread may wait for. */
    private final Semaphore waiting;

    /** A permit for each of those that may be of a user's own change: users who log out leave permits for an administrator who bans. */
    private final Semaphore ofUsers;

    Receipts(UserStatusCache<Long> statuses, UserCache<Long, Access> accesses, ServerLimits limits) {
        this.statuses = statuses;
        this.accesses = accesses;
        this.waiting = new Semaphore(limits.waitingReceipts());
        this.ofUsers = new Semaphore((limits.waitingReceipts() + 1) / 2);
    }

    /**
     * Requires that a change of a user can be announced, before it is committed.
     *
     * @throws IllegalStateException when the caches are closed
     */
    public void require(long id) {
        String unused = statuses.cache().keyOf(id);
    }

    /** Announces a change of the status and of the access, without waiting for nodes. */
    void announceStatus(long id) {
        statuses.invalidate(id);
        accesses.invalidate(id);
    }

    /** Announces a change of the access, without waiting for nodes. */
    public void announceAccess(long id) {
        accesses.invalidate(id);
    }

    /** The receipt of a change of the status, which may have ended tokens as well. */
    Receipt ofStatus(long id) {
        // Both before the first wait, in which this node may end; the status first, so that a disabled user is told
        // that.
        announceStatus(id);
        return await(id, waiting, () -> {}, () -> {
            RevocationReceipt first = statuses.cache().revoke(id);
            return first.confirmed() ? Receipt.of(id, first, accesses.revoke(id)) : Receipt.of(id, first);
        });
    }

    /** The receipt of a change of the access that an administrator has made. */
    Receipt ofAccess(long id) {
        return await(id, waiting, () -> announceAccess(id), () -> Receipt.of(id, accesses.revoke(id)));
    }

    /** The receipt of a change of the access that the user has made. */
    public Receipt ofOwnAccess(long id) {
        return await(id, ofUsers, () -> announceAccess(id), () -> ofAccess(id));
    }

    private static Receipt await(long id, Semaphore permits, Runnable announcement, Supplier<Receipt> receipt) {
        if (!permits.tryAcquire()) {
            long begun = System.nanoTime();
            announcement.run();
            return Receipt.ofTooManyWaiting(id, Duration.ofNanos(System.nanoTime() - begun));
        }
        try {
            return receipt.get();
        } finally {
            permits.release();
        }
    }
}
