package dev.usher.model.failover;

import dev.usher.model.Packer;

/** A server of Redis, and what it holds. */
final class Server {

    /** The server that it is a replica of, or itself. */
    int primary;

    /** Whether it has all that its primary has. */
    boolean isLinked;

    /** The failover by which its history has begun. */
    int history;

    /** Whether the user's value is that from before the ban. */
    boolean holdsOldValue;

    /** The history in which its register has begun. */
    int register;

    /** Whether the ban has a number in the register. */
    boolean hasNumber;

    Entry entry = Entry.NONE;

    /** Whether it has the last write of the reader that any server has accepted. */
    boolean hasMark;

    /** Of the reader, in the register. */
    enum Entry {
        NONE,
        WITHOUT_THE_NUMBER,
        WITH_THE_NUMBER
    }

    Server(int primary) {
        this.primary = primary;
    }

    Server(Server other) {
        primary = other.primary;
        isLinked = other.isLinked;
        copy(other);
    }

    /** Takes over all that another one holds. */
    void copy(Server other) {
        history = other.history;
        holdsOldValue = other.holdsOldValue;
        register = other.register;
        hasNumber = other.hasNumber;
        entry = other.entry;
        hasMark = other.hasMark;
    }

    void write(Packer to) {
        to.put(primary, State.MAX_SERVERS);
        to.put(isLinked);
        to.put(history, State.MAX_EPOCHS);
        to.put(holdsOldValue);
        to.put(register, State.MAX_EPOCHS);
        to.put(hasNumber);
        to.put(entry);
        to.put(hasMark);
    }
}
