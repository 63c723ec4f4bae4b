package dev.usher.model.failover;

/** What may happen beside a failover. */
enum Chance {
    /** There is a second replica, which may stay with the old primary. */
    A_SECOND_REPLICA,

    /** The new primary is replaced as well: by the old one or by the third server. */
    A_SECOND_FAILOVER,

    /** Each connection of the reader is lost and made by itself, and to make one may take long: the address is asked for first. */
    CONNECTIONS_OF_THE_READER_APART,

    /** Each connection of the announcer is lost and made by itself. */
    CONNECTIONS_OF_THE_ANNOUNCER_APART,

    /** The announcer connects for the first time when the primary has been replaced, and stays connected. */
    THE_ANNOUNCER_COMES_LATER,

    /** The Sentinels are told to forget the old primary ({@code SENTINEL RESET}), which goes on where they do not reach it. */
    THE_OLD_PRIMARY_IS_FORGOTTEN,

    /** The old primary gets a replica that the Sentinels do not know, once a majority of them names the new one. */
    AN_UNKNOWN_REPLICA_LATER,

    /** The same at any time. */
    AN_UNKNOWN_REPLICA,

    /** A server that becomes a replica, or no longer is one, leaves its connections open. Sentinels close them. */
    CONNECTIONS_OUTLIVE_THE_ROLE,

    /** A primary without replicas refuses writes, at once ({@code min-replicas-to-write}). */
    MIN_REPLICAS
}
