package dev.usher.model.failover;

import dev.usher.model.Packer;

/**
 * A connection of a node.
 *
 * @param server to which it leads, or is being made
 * @param isMade whether it is made
 */
record Link(int server, boolean isMade) {

    static final Link NONE = new Link(State.MAX_SERVERS, false);
    private static final Link[] MADE = {new Link(0, true), new Link(1, true), new Link(2, true)};
    private static final Link[] BEGUN = {new Link(0, false), new Link(1, false), new Link(2, false)};

    static Link to(int server) {
        return MADE[server];
    }

    static Link begunTo(int server) {
        return BEGUN[server];
    }

    boolean isNone() {
        return server == State.MAX_SERVERS;
    }

    boolean leadsTo(int other) {
        return isMade && server == other;
    }

    boolean leadsElsewhere(int other) {
        return isMade && server != other;
    }

    void write(Packer to) {
        to.put(server, State.MAX_SERVERS + 1);
        to.put(isMade);
    }
}
