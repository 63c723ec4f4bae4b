package dev.usher;

/**
 * Ends what is open for users that were revoked: connections, sessions, whatever was let in before and is not asked about again.
 *
 * <pre>{@code
 * caches.onRevoked(users -> (int) sockets.stream()
 *         .filter(socket -> users.contains("status", socket.userId()))
 *         .peek(Socket::close)
 *         .count());
 * }</pre>
 *
 * <p>Applications implement it. Each node calls its listeners after a revocation ({@link UserCache#revoke}, {@link UserCache#revokeAll}, {@link
 * UserStatusCache#disable} and {@link UserStatusCache#enable}) of a facet that {@linkplain CachePolicy#serveStaleFor serves no stale
 * answers}, before the node confirms it: so when a receipt says that the node has confirmed, the listener has returned, or has had its time. A question that
 * a listener asks of a cache about such a user is answered by the source.
 *
 * <p>Calls of one {@link UserCaches} come one after the other, on a thread of usher's own, and several revocations may come as one call. All listeners
 * of a call together have half a second, after which the node confirms without them and interrupts none of them; the next call waits for them. An
 * exception is logged, and the other listeners are called all the same.
 */
@FunctionalInterface
public interface RevocationListener {

    /**
     * Ends what is open for some users. A user may come again, and one that was let in again ({@link UserStatusCache#enable}) comes as well: a
     * listener that must tell asks the cache.
     *
     * @param users whom to end it for
     * @return how many open things it has ended, which the receipt says by node ({@link RevocationReceipt#ended})
     */
    int revoked(RevokedUsers users);
}
