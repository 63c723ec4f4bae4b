package dev.usher.model.register;

import dev.usher.model.Packer;

/** The register and the nodes. A step makes a copy and changes that. */
final class State {

    final Register register;
    final Node node;
    final Announcer announcer;
    final OtherAnnouncer other;

    /** Whether the register has been lost. */
    boolean isLost;

    State() {
        register = new Register();
        node = new Node();
        announcer = new Announcer();
        other = new OtherAnnouncer();
    }

    private State(State from) {
        register = new Register(from.register);
        node = new Node(from.node);
        announcer = new Announcer(from.announcer);
        other = new OtherAnnouncer(from.other);
        isLost = from.isLost;
    }

    State copy() {
        return new State(this);
    }

    void write(Packer to) {
        to.put(isLost);
        register.write(to);
        announcer.write(to);
        other.write(to);
        node.write(to);
    }
}
