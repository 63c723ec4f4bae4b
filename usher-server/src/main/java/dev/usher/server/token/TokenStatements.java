package dev.usher.server.token;

import java.util.UUID;

/** The statements on refresh tokens that each kind of database needs in a form of its own. Called in a transaction that holds the lock of the user. */
interface TokenStatements {

    /**
     * Adds the first token of a family, and revokes the families of the user that were not used for the longest time.
     *
     * @param kept how many other families stay
     * @param hash of the token
     */
    void addFirst(long userId, int kept, String hash, UUID familyId);

    /**
     * Spends a token and adds the next one, unless it is spent, revoked or expired.
     *
     * @param hash of the token
     * @param next the hash of the next one
     * @return whether it was spent
     */
    boolean spend(String hash, String next);

    /**
     * Deletes revoked families, and tokens that have expired, outside a transaction. Each batch is small enough for the time limit of a query, and skips rows that
     * another node is deleting. The rows that mark a revocation go last.
     */
    void prune();
}
