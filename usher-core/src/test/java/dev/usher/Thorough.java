package dev.usher;

/** Whether tests run in their thorough form: with {@code mvn verify -Pthorough}. */
final class Thorough {

    private Thorough() {}

    /** What the thorough form takes, or the short form. */
    static <T> T pick(T thorough, T brief) {
        return Boolean.getBoolean("usher.thorough") ? thorough : brief;
    }
}
