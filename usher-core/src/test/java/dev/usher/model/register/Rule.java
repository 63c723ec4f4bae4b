package dev.usher.model.register;

/** The rules of usher that this model knows, each of which can be taken out. */
enum Rule {
    /** A register is complete when the announcer has known it for longer than the bound; without, at once. */
    A_NEW_REGISTER_IS_WAITED_OUT,

    /** A receipt waits for all entries, or for the bound. */
    ENTRIES_ARE_WAITED_FOR,

    /** A heartbeat counts if the node finds in the register that it knows what it has written; without, any answer counts. */
    A_HEARTBEAT_FINDS_THE_ENTRY,

    /** A number is written into the entry when the node has forgotten its users and ended what is open for them. */
    THE_NUMBER_COMES_AFTER_THE_END,

    /** To a node that has known another register, a new one means that anyone may have been revoked. */
    A_NEW_REGISTER_IS_EVERYONE,

    /** The same when more numbers were missed than names are kept. */
    MISSED_NAMES_ARE_EVERYONE,

    /** The same when a number is lower than one seen. */
    A_LOWER_NUMBER_IS_A_NEW_REGISTER,

    /** What Redis says is not believed for the bound after a new register, and no number is processed. */
    A_NEW_REGISTER_IS_DISTRUSTED,

    /** A number is processed when the node has its names and has seen it over the tracked connection; without, when it has the names. */
    A_NUMBER_IS_SEEN_IN_ORDER,

    /** An answer of a register that the node has left meanwhile says nothing. */
    ANSWERS_OF_ANOTHER_REGISTER_ARE_DROPPED,

    /** A silent node is taken out when the bound has passed; without, at once. */
    A_SILENT_NODE_IS_WAITED_OUT,

    /** ... and only if its entry has not changed since. */
    AN_ENTRY_THAT_CHANGES_STAYS,

    /** A heartbeat that writes no entry counts as long as no number has been given since the entry. */
    A_NEW_NUMBER_NEEDS_AN_ENTRY,

    /** ... and for a bound after that. */
    AN_ENTRY_IS_WRITTEN_NOW_AND_THEN,

    /** A flush ends the session, and memory is forgotten. */
    A_FLUSH_ENDS_THE_SESSION
}
