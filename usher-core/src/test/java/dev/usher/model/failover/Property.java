package dev.usher.model.failover;

/** What must not happen. */
enum Property {
    /** A node answers "enabled" after a confirmed receipt. */
    RECEIPT,

    /** The old value stays in the primary when all is over, although the announcer lives. */
    STAYS
}
