package dev.usher.model.failover;

/** The rules of usher that this model knows, each of which can be taken out. */
enum Rule {
    /** A connection is made to the server that a majority of all Sentinels names; without, to the one that any of them names. */
    A_MAJORITY_IS_FOLLOWED,

    /** A watermark is not newer than the last asking after which a majority has named the server. */
    THE_WATERMARK_NEEDS_A_MAJORITY,

    /** A majority is as old as its question; without, as its answers. */
    A_MAJORITY_IS_AS_OLD_AS_ITS_QUESTION,

    /** A majority is one of all known Sentinels; without, of those that have answered. */
    A_MAJORITY_IS_OF_ALL_SENTINELS,

    /** A majority counts if all connections lead to the server that it names, and others are closed; without, wherever they lead. */
    ALL_CONNECTIONS_LEAD_TO_THE_NAMED,

    /** A majority that has named a server counts for the connections that there were then, and not for those that are made later. */
    A_MAJORITY_ENDS_WITH_THE_CONNECTION,

    /** A heartbeat is a write that is read back over the tracked connection; without, a read. */
    A_HEARTBEAT_IS_A_WRITE,

    /** A write counts where it is read back; without, the older of the last write and the last look counts. */
    THE_WRITE_IS_READ_BACK,

    /** A node whose watermark is older than the bound asks the source; without, it believes what it reads. */
    THE_UNPROVEN_ASKS_THE_SOURCE,

    /** A register of another replication history is replaced; without, its entries and its age count. */
    A_REGISTER_HAS_ONE_HISTORY,

    /** A register is complete when the announcer has known it for longer than the bound; without, at once. */
    A_NEW_REGISTER_IS_WAITED_OUT,

    /** A receipt waits for all entries, or for the bound. */
    ENTRIES_ARE_WAITED_FOR,

    /** A loss of the connection over which the fence was sent ends the wait for a receipt, unconfirmed. */
    A_LOST_CONNECTION_ENDS_THE_WAIT,

    /** A receipt is confirmed only if {@code WAIT} says that the replicas have the ban. */
    REPLICAS_ACKNOWLEDGE,

    /** Those are all replicas that the Sentinels know, those that are down as well; without, those that are connected. */
    ALL_KNOWN_REPLICAS_ACKNOWLEDGE,

    /** They are told by their addresses; without, as many have to acknowledge the ban as the Sentinels know. */
    REPLICAS_ARE_TOLD_BY_ADDRESS,

    /** After that, a majority of the Sentinels has to name the server that all connections of the announcer lead to. */
    A_MAJORITY_IS_ASKED_AFTER,

    /** A fence that was confirmed within the last minute is sent again after a loss of the connection. */
    FENCES_ARE_SENT_AGAIN
}
