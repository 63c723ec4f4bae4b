package dev.usher.redis;

/** What the guard of a key holds. */
public enum GuardState {
    /** There is no guard: no load or change of late. */
    NONE,

    /** A fence: rows that were read before it are refused. */
    FENCE,

    /** A claim: a node is loading. */
    CLAIM
}
