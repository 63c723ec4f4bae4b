package dev.usher.model.reads;

import static dev.usher.model.reads.State.name;

import dev.usher.model.Model.Steps;
import dev.usher.model.Time;
import dev.usher.model.reads.Server.Guard;
import dev.usher.model.reads.Server.Value;
import dev.usher.model.reads.State.Ban;
import dev.usher.model.reads.State.Failover;

/** The ban and the failover. The announcer is always connected to the server that a majority of the Sentinels names. */
final class Banning {

    private final Setting setting;

    Banning(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        replace(state, steps);
        endGuards(state, steps);
        for (int server = 0; server < state.servers.length; server++) {
            loadElsewhere(state, server, steps);
        }
        State next = state.copy();
        int primary = state.primary();
        switch (state.ban) {
            case NOT_BEGUN -> {
                next.ban = Ban.COMMITTED;
                steps.to(next, "the announcer commits the ban");
            }
            case COMMITTED -> {
                next.ban = Ban.FENCED;
                next.bannedOn = primary;
                boolean takesGuard = setting.has(Rule.A_FENCE_TAKES_THE_GUARD);
                next.set(primary, Value.NONE, takesGuard ? Guard.FENCE : state.servers[primary].guard);
                steps.to(next, "the announcer sends FENCE to", name(primary));
            }
            case FENCED -> {
                // A fence whose connection was lost is not confirmed.
                boolean isAcknowledged =
                        primary == 1 || state.isReplicated() || !setting.has(Rule.REPLICAS_ACKNOWLEDGE);
                next.ban = isAcknowledged && state.bannedOn == primary ? Ban.NUMBERED : Ban.UNCONFIRMED;
                next.numbered = 0;
                steps.to(next, "the announcer sends REVOKE to", name(primary));
            }
            case NUMBERED -> confirm(state, steps);
            default -> {}
        }
    }

    private static void confirm(State state, Steps<State> steps) {
        boolean isWaitedOut = state.numbered > Time.BOUND;
        boolean isSeen = state.node.server == state.bannedOn && state.node.hasSeenTheNumber;
        if (isWaitedOut || isSeen) {
            State next = state.copy();
            next.ban = Ban.CONFIRMED;
            steps.to(next, "the receipt is confirmed,", isWaitedOut ? "after the bound" : "by all nodes");
        }
    }

    private void replace(State state, Steps<State> steps) {
        if (!setting.hasFailover() || state.failover == Failover.NAMED) {
            return;
        }
        State next = state.copy();
        switch (state.failover) {
            case NONE -> {
                next.failover = Failover.CUT_OFF;
                steps.to(next, "P2 is cut off from P1");
            }
            case CUT_OFF -> {
                next.failover = Failover.PROMOTED;
                steps.to(next, "P2 is promoted");
            }
            default -> {
                next.failover = Failover.NAMED;
                steps.to(next, "a majority of the Sentinels names P2");
            }
        }
    }

    /** Another node, which loads before the ban and fills whenever it likes. */
    private static void loadElsewhere(State state, int server, Steps<State> steps) {
        Server at = state.servers[server];
        if (!state.takesWrites(server) || at.value != Value.NONE) {
            return;
        }
        State next = state.copy();
        if (at.guard == Guard.CLAIM_OF_ANOTHER_NODE) {
            next.set(server, Value.ENABLED, Guard.FENCE);
            steps.to(next, "FILL of another node is accepted on", name(server));
        } else if (at.guard == Guard.NONE && state.row() == Value.ENABLED) {
            next.set(server, Value.NONE, Guard.CLAIM_OF_ANOTHER_NODE);
            steps.to(next, "another node claims and loads on", name(server));
        }
    }

    private static void endGuards(State state, Steps<State> steps) {
        for (int server = 0; server < state.servers.length; server++) {
            Server each = state.servers[server];
            boolean isReplica = server == 1 && state.isReplicated();
            if (each.guard == Guard.NONE || isReplica) {
                continue;
            }
            State next = state.copy();
            next.set(server, each.value, each.guard == Guard.FENCE ? Guard.NONE : Guard.FENCE);
            steps.to(next, each.guard == Guard.FENCE ? "the fence ends on" : "the claim ends on", name(server));
        }
    }
}
