package dev.usher.redis;

/** How tests take a rule out of a process. */
public final class Rules {

    /** The system property of that process, whose value is the name of the rule. */
    public static final String OUT = Rule.OUT;

    private Rules() {}
}
