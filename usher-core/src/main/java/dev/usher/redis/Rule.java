package dev.usher.redis;

/**
 * A rule that usher's own tests take out, one at a time and in a process of their own, to see that they find what it prevents. A process with one of
 * them out gives wrong answers.
 */
enum Rule {

    /** A heartbeat counts only when what it wrote has been read back over the tracked connection. */
    READ_BACK,

    /** A session ends when its primary has lost one of the slots. */
    SLOT_LOOK,

    /** The same when the other primaries say so, and that one does not know yet. */
    MAP_ENDS_SESSION,

    /** A fence that cannot be made at once, while its slot is moved, begins with the guard. */
    GUARD_FIRST,

    /** Memory of a facet that fails closed is open only while this node hears of revocations, on whatever primary they are. */
    REGISTER_BOUND,

    /** When a slot has come to another primary, the fences of the last minute are sent again. */
    MOVED_AGAIN,

    /** For a while, what another primary says of a slot that has come to it is not believed, in facets that fail closed. */
    MOVED_SUSPECT,

    /** A fence that was under way while its slot came to another primary is not confirmed. */
    MOVED_UNDER_WAY,

    /** A user that was missing is in memory for the staleness bound at most. */
    ABSENT_FOR_BOUND,

    /** No ban is confirmed while the primary that had the slot before may be believed. */
    LAG;

    /** The system property that names the rule that is out, by which tests start such a process. */
    static final String OUT = "dev.usher.redis.Rule.out";

    private final boolean isOut = name().equals(System.getProperty(OUT));

    boolean isOut() {
        return isOut;
    }
}
