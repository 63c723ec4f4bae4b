package dev.usher.server.token;

import java.time.Duration;
import java.util.UUID;

/** The statements on refresh tokens that each kind of database needs in a form of its own. Called in a transaction that holds the lock of the user. */
interface TokenStatements {

    /**
     * Adds the first token of a family, and revokes the families of the user that were not used for the longest time.
     *
     * @param kept how many other families stay
     * @param hash of the token
     * @param address from which it is asked for
     * @return whether families were revoked
     */
    boolean addFirst(long userId, int kept, String hash, UUID familyId, String address);

    /**
     * Spends a token and adds the next one, unless it is spent, revoked or expired.
     *
     * @param hash of the token
     * @param next the hash of the next one
     * @param address from which it is asked for
     * @return whether it was spent
     */
    boolean spend(String hash, String next, String address);

    /**
     * Deletes revoked families, and tokens that have expired, once no token that came with them is honoured any more. To be called outside a transaction. Each batch is small enough for the time limit of a query, and skips rows that
     * another node is deleting. The rows that mark a revocation go last.
     */
    void prune();

    /**
     * How long rows are kept after a token was of no use any more.
     *
     * @param afterExpiry the row of a token that has expired
     * @param afterRevocation the rows of a family that was revoked: for longer than any statement lasts, since none may add a token to such a family
     */
    record Lifetimes(Duration afterExpiry, Duration afterRevocation) {

        private static final Duration HOUR = Duration.ofHours(1);

        /** For clocks of the database and of nodes that differ. */
        private static final Duration MARGIN = Duration.ofMinutes(5);

        /**
         * Until no token is honoured that came with the refresh token: a family is only known to have ended while it has a row.
         *
         * @param tokenTtl how long a token is honoured
         */
        static Lifetimes of(Duration tokenTtl) {
            Duration honoured = tokenTtl.plus(MARGIN);
            return new Lifetimes(honoured, honoured.compareTo(HOUR) > 0 ? honoured : HOUR);
        }
    }
}
