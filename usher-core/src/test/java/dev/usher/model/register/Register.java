package dev.usher.model.register;

import dev.usher.model.Packer;

/** What stands in Redis. */
final class Register {

    static final int NONE = -1;
    static final int MAX_REGISTERS = 4;
    static final int MAX_NUMBER = 3;

    /** How many names are kept. */
    static final int RING = 2;

    /** No entry. An entry of a node that has seen no number of this register holds {@link #NONE}. */
    static final int NO_ENTRY = -2;

    /** Its name; none when there is no register. */
    int name = 1;

    /** How many registers there have been. */
    int begun = 1;

    /** The last number. */
    int number;

    /** For how many numbers, up to the last one, there are names. */
    int names;

    /** The number in the node's entry. */
    int entry = NO_ENTRY;

    /** Whether the node's own key holds its last write. */
    boolean hasMark;

    /** Whether the user's value is that from before the ban. */
    boolean holdsOldValue = true;

    Register() {}

    Register(Register other) {
        name = other.name;
        begun = other.begun;
        number = other.number;
        names = other.names;
        entry = other.entry;
        hasMark = other.hasMark;
        holdsOldValue = other.holdsOldValue;
    }

    boolean isThere() {
        return name != 0;
    }

    void beginIfNone() {
        if (!isThere()) {
            begun++;
            name = begun;
            number = 0;
            names = 0;
            entry = NO_ENTRY;
        }
    }

    void lose() {
        name = 0;
        number = 0;
        names = 0;
        entry = NO_ENTRY;
        hasMark = false;
    }

    void giveNumber() {
        beginIfNone();
        number++;
        names = Math.min(names + 1, RING);
    }

    void write(Packer to) {
        to.put(name, MAX_REGISTERS);
        to.put(begun, MAX_REGISTERS);
        putNumber(number, to);
        to.put(names, RING + 1);
        putNumber(entry, to);
        to.put(hasMark);
        to.put(holdsOldValue);
    }

    /** A number, {@link #NONE} or {@link #NO_ENTRY}. */
    static void putNumber(int number, Packer to) {
        to.put(number - NO_ENTRY, MAX_NUMBER - NO_ENTRY + 1);
    }
}
