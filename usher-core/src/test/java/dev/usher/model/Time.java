package dev.usher.model;

/** Ages and spans, in ticks. */
public final class Time {

    /** A node answers without a heartbeat while its watermark is no older than this. */
    public static final int BOUND = 1;

    /** An age at which it does not, and which grows no more. */
    public static final int CLOSED = BOUND + 1;

    /** How long a name is in quarantine, and a new history suspect. */
    public static final int QUARANTINE = BOUND + 1;

    private Time() {}

    public static int older(int age) {
        return Math.min(age + 1, CLOSED);
    }

    public static int less(int left) {
        return Math.max(left - 1, 0);
    }
}
