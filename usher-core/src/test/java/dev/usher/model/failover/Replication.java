package dev.usher.model.failover;

import static dev.usher.model.failover.State.name;

import dev.usher.model.Model.Steps;

/** What the servers and the Sentinels do. A replica has what its primary has, until it is cut off; it is promoted with that. */
final class Replication {

    private final Setting setting;

    Replication(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        for (int server = 0; server < state.servers.length; server++) {
            cutOff(state, server, steps);
            promote(state, server, steps);
            follow(state, server, steps);
            synchronize(state, server, steps);
        }
        learn(state, steps);
        addUnknownReplica(state, steps);
    }

    private static void cutOff(State state, int server, Steps<State> steps) {
        Server each = state.servers[server];
        if (each.primary != server && each.isLinked) {
            State next = state.copy();
            next.servers[server].isLinked = false;
            steps.to(next, name(server), "is cut off from", name(each.primary));
        }
    }

    /** A majority of the Sentinels agrees on a failover. The server is the primary before any of them names it. */
    private void promote(State state, int server, Steps<State> steps) {
        if (state.epoch == setting.failovers()
                || !state.isQuorum(state.informed())
                || state.servers[server].primary != state.primary()
                || server == state.primary()) {
            return;
        }
        State next = state.copy();
        next.epoch++;
        next.primaries[next.epoch] = server;
        Server promoted = next.servers[server];
        promoted.primary = server;
        promoted.isLinked = false;
        promoted.history = next.epoch;
        closeConnectionsTo(next, server);
        steps.to(next, name(server), "is promoted");
    }

    private static void learn(State state, Steps<State> steps) {
        for (int i = 0; i < state.sentinels.length; i++) {
            for (int epoch = state.sentinels[i].epoch + 1; epoch <= state.epoch; epoch++) {
                State next = state.copy();
                next.sentinels[i].epoch = epoch;
                steps.to(next, "a Sentinel names", name(state.primaries[epoch]));
            }
        }
    }

    /** A Sentinel that knows the new primary has another server follow it. Until it is synchronized, the server has what it had. */
    private void follow(State state, int server, Steps<State> steps) {
        int primary = state.primary();
        boolean isOrdered = state.epoch > 0 && state.informed() > 0;
        if (!isOrdered || server == primary || state.servers[server].primary == primary) {
            return;
        }
        State next = state.copy();
        next.servers[server].primary = primary;
        next.servers[server].isLinked = false;
        closeConnectionsTo(next, server);
        steps.to(next, name(server), "becomes a replica of", name(primary));
    }

    /** A replica takes over all that its primary holds. */
    private static void synchronize(State state, int server, Steps<State> steps) {
        int primary = state.servers[server].primary;
        if (primary == server || state.servers[server].isLinked || state.servers[primary].primary != primary) {
            return;
        }
        State next = state.copy();
        next.servers[server].isLinked = true;
        next.take(server, primary);
        steps.to(next, name(server), "is synchronized with", name(primary));
    }

    private void closeConnectionsTo(State next, int server) {
        if (setting.has(Chance.CONNECTIONS_OUTLIVE_THE_ROLE)) {
            return;
        }
        Reading.loseConnectionsTo(next, server, setting);
        Announcing.loseConnectionsTo(next, server, setting);
    }

    private void addUnknownReplica(State state, Steps<State> steps) {
        boolean isReplaced = state.epoch > 0 && state.isQuorum(state.informed());
        boolean isPossible =
                setting.has(Chance.AN_UNKNOWN_REPLICA) || (setting.has(Chance.AN_UNKNOWN_REPLICA_LATER) && isReplaced);
        if (isPossible && !state.hasUnknownReplica && state.servers[0].primary == 0) {
            State next = state.copy();
            next.hasUnknownReplica = true;
            steps.to(next, "a replica that no Sentinel knows connects to", name(0));
        }
    }
}
