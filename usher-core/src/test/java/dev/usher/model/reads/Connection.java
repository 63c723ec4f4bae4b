package dev.usher.model.reads;

import static dev.usher.model.reads.State.name;

import dev.usher.model.Model.Steps;
import dev.usher.model.Time;
import dev.usher.model.reads.Load.Phase;
import dev.usher.model.reads.Node.Push;
import dev.usher.model.reads.State.Ban;

/** The node's connections, heartbeats, and what it is told. */
final class Connection {

    private static final String NODE = "the node";

    private final Setting setting;

    Connection(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        if (!state.node.isConnected()) {
            State next = state.copy();
            next.node.server = state.primary();
            steps.to(next, NODE, "connects to", name(state.primary()));
            return;
        }
        lose(state, steps);
        beat(state, steps);
        hearOfChange(state, steps);
        seeNumber(state, steps);
    }

    private static void lose(State state, Steps<State> steps) {
        State next = state.copy();
        Node node = next.node;
        node.server = Node.NOT_CONNECTED;
        node.isTracked = false;
        node.watermark = Time.CLOSED;
        node.isValueTracked = false;
        node.push = Push.NONE;
        node.isInMemory = false;
        Load load = next.load;
        load.isOfThisSession = false;
        load.isRenewing = false;
        switch (load.phase) {
            // What has been answered goes on; what is under way fails.
            case READ_SENT, READ_EXECUTED, CLAIM_SENT, CLAIM_GRANTED, CLAIM_FOUND_A_VALUE, CLAIM_REFUSED ->
                load.phase = Phase.ASKING_THE_SOURCE;
            case FILL_SENT, FILL_ACCEPTED -> load.phase = Phase.FILL_REFUSED;
            default -> {}
        }
        steps.to(next, NODE, "loses its connections");
    }

    /** A heartbeat is answered after all that was sent before it over the tracked connection. */
    private static void beat(State state, Steps<State> steps) {
        boolean isNext = state.node.push == Push.NONE && state.load.phase != Phase.READ_EXECUTED;
        if (state.node.server == state.primary() && isNext) {
            State next = state.copy();
            next.node.watermark = 0;
            next.node.isTracked = true;
            steps.to(next, NODE, "has a heartbeat on", name(state.node.server));
        }
    }

    private static void hearOfChange(State state, Steps<State> steps) {
        Push push = state.node.push;
        boolean isBehindTheRead = push == Push.AFTER_THE_READ && state.load.phase == Phase.READ_EXECUTED;
        if (push != Push.NONE && !isBehindTheRead) {
            State next = state.copy();
            next.node.push = Push.NONE;
            next.node.isInMemory = false;
            next.load.isReserved = false;
            steps.to(next, NODE, "hears that the value has changed");
        }
    }

    private void seeNumber(State state, Steps<State> steps) {
        boolean isNumbered = state.ban == Ban.NUMBERED || state.ban == Ban.CONFIRMED;
        boolean isHere = state.node.server == state.bannedOn || (state.node.server == 1 && state.bannedOn == 0);
        boolean isNext = state.node.push == Push.NONE && state.load.phase != Phase.READ_EXECUTED;
        if (!isNumbered || !isHere || !isNext || state.node.hasSeenTheNumber) {
            return;
        }
        State next = state.copy();
        Node node = next.node;
        node.hasSeenTheNumber = true;
        if (setting.has(Rule.NAMES_ARE_IN_QUARANTINE)) {
            node.quarantine = Time.QUARANTINE;
        }
        if (setting.has(Rule.REVOKED_USERS_ARE_FORGOTTEN)) {
            node.isInMemory = false;
            next.load.isReserved = false;
        }
        if (setting.has(Rule.REVOKED_LOADS_ARE_NOT_JOINED)) {
            next.load.isJoinable = false;
        }
        steps.to(next, NODE, "sees the number");
    }
}
