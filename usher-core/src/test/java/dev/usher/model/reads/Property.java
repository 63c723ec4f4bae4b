package dev.usher.model.reads;

/** What must not happen. */
enum Property {
    /** A caller that comes after a confirmed receipt is told that the user is enabled. */
    RECEIPT,

    /** The primary holds the old value after a confirmed receipt. */
    STAYS
}
