package dev.usher.model.register;

/** What may happen to the register. */
enum Chance {
    /** FLUSHALL: connections stay, and nodes are told. */
    A_FLUSH,

    /** Redis is restarted, and empty. */
    A_RESTART,

    /** The keys of the register are evicted or deleted, and the others stay. */
    AN_EVICTION,

    /** Redis is restarted with a register from before the last number. */
    AN_OLDER_REGISTER,

    /** Other users are banned, until the ring of names has wrapped. */
    OTHER_BANS,

    /** A node takes out silent ones that no ban waits for. */
    SWEEPS
}
