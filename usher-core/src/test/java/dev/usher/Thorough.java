package dev.usher;

/** Whether tests run in their thorough form: with {@code mvn verify -Pthorough}. */
final class Thorough {

    private Thorough() {}

    /** The value for the thorough form, or that for the short form. */
    static <T> T pick(T thorough, T brief) {
        return Boolean.getBoolean("usher.thorough") ? thorough : brief;
    }
}
