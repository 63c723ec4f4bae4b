package dev.usher.model.register;

/** What must not happen. */
enum Property {
    /** The node answers "enabled" after a confirmed receipt. */
    RECEIPT,

    /** Something is open for the user on a node that answers, after a confirmed receipt. */
    OPEN
}
