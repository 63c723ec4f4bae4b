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

    /** A fence that cannot be made at once, while its slot is moved, begins with the guard. */
    GUARD_FIRST,

    /** Memory of a facet that fails closed is open only while this node hears of revocations, on whatever primary they are. */
    REGISTER_BOUND;

    /** The system property that names the rule that is out, by which tests start such a process. */
    static final String OUT = "dev.usher.redis.Rule.out";

    private final boolean isOut = name().equals(System.getProperty(OUT));

    boolean isOut() {
        return isOut;
    }
}
