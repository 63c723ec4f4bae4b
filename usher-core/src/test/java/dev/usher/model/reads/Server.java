package dev.usher.model.reads;

import dev.usher.model.Packer;

/** What a server holds of the user. */
final class Server {

    Value value = Value.NONE;
    Guard guard = Guard.NONE;

    enum Value {
        NONE,
        ENABLED,
        DISABLED
    }

    /** What guards the value. A claim past its deadline is a fence. */
    enum Guard {
        NONE,
        FENCE,
        CLAIM,
        CLAIM_OF_ANOTHER_LOAD,
        /** Another node has loaded the user under it before the ban. */
        CLAIM_OF_ANOTHER_NODE
    }

    Server() {}

    Server(Server other) {
        value = other.value;
        guard = other.guard;
    }

    void copy(Server other) {
        value = other.value;
        guard = other.guard;
    }

    void write(Packer to) {
        to.put(value);
        to.put(guard);
    }
}
