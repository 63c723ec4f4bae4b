package dev.usher.model;

/** Writes small numbers into 128 bits, exactly: two states are the same if these bits are. */
public final class Packer {

    /** No enum of a state has more constants. */
    private static final int MAX_CONSTANTS = 16;

    private long first;
    private long second;
    private int bits;

    /** Begins anew. */
    void reset() {
        first = 0;
        second = 0;
        bits = 0;
    }

    /**
     * Writes a number.
     *
     * @param value not below zero
     * @param below a number that the value is always below
     */
    public void put(int value, int below) {
        if (value < 0 || value >= below) {
            throw new IllegalArgumentException(value + " is not below " + below);
        }
        int width = Integer.SIZE - Integer.numberOfLeadingZeros(below - 1);
        // A number is never in both halves.
        if (bits < Long.SIZE && bits + width > Long.SIZE) {
            bits = Long.SIZE;
        }
        if (bits + width > 2 * Long.SIZE) {
            throw new IllegalStateException("the state is larger than 128 bits");
        }
        if (bits < Long.SIZE) {
            first |= (long) value << bits;
        } else {
            second |= (long) value << (bits - Long.SIZE);
        }
        bits += width;
    }

    public void put(boolean value) {
        put(value ? 1 : 0, 2);
    }

    @SuppressWarnings("EnumOrdinal") // within one run
    public void put(Enum<?> value) {
        put(value.ordinal(), MAX_CONSTANTS);
    }

    long first() {
        return first;
    }

    long second() {
        return second;
    }
}
