package dev.usher;

import java.time.Duration;
import java.util.Set;

/**
 * What is known of a change of a user when {@link UserCache#revoke} returns: which nodes have provably forgotten what was true
 * before it.
 *
 * <p>A node has forgotten it when it has processed the push of the change (it is {@linkplain #nodesConfirmed confirmed}), or
 * when it has been silent for so long that it has closed its memory by itself ({@linkplain #nodesWaitedOut waited out}). When
 * that is so of every node, the receipt is confirmed: no node answers a question that comes from now on with what was true
 * before the change.
 *
 * <p>A receipt that is not confirmed is no failure of the change, which is committed: Redis has not taken the announcement yet,
 * which is kept and sent again, and every node hears of it then. Until then a node that Redis answers may answer with the old
 * value; one that has lost Redis too asks the source once the staleness bound is over.
 *
 * @param confirmed whether every node has provably forgotten the old value
 * @param nodesConfirmed the nodes that have processed the change
 * @param nodesWaitedOut the nodes that have not, and have closed their memory
 * @param nodesUnheard the nodes that have not, and may still answer from memory: they {@linkplain
 *     CachePolicy#serveStaleFor serve stale answers}, or have a longer staleness bound than this one
 * @param took the time from the call to the receipt
 */
public record RevocationReceipt(
        boolean confirmed,
        Set<String> nodesConfirmed,
        Set<String> nodesWaitedOut,
        Set<String> nodesUnheard,
        Duration took) {

    public RevocationReceipt {
        nodesConfirmed = Set.copyOf(nodesConfirmed);
        nodesWaitedOut = Set.copyOf(nodesWaitedOut);
        nodesUnheard = Set.copyOf(nodesUnheard);
    }
}
