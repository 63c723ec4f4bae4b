package dev.usher.model.failover;

import static dev.usher.model.failover.State.name;

import dev.usher.model.Model.Steps;
import dev.usher.model.Time;
import dev.usher.model.failover.Announcer.Step;
import dev.usher.model.failover.Server.Entry;

/** What the announcer does. Once it has the receipt, it may be gone. */
final class Announcing {

    private static final String ANNOUNCER = "the announcer";

    private final Setting setting;

    Announcing(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        if (state.announcer.step == Step.CONFIRMED) {
            return;
        }
        connect(state, steps);
        enter(state, steps);
        sendAgain(state, steps);
        switch (state.announcer.step) {
            case NOT_BEGUN -> fence(state, steps);
            case FENCED -> number(state, steps);
            case NUMBERED -> hearReplicas(state, steps);
            case ACKNOWLEDGED -> hearSentinels(state, steps);
            case NAMED -> confirm(state, steps);
            default -> {}
        }
    }

    // Connections.

    private void connect(State state, Steps<State> steps) {
        Announcer announcer = state.announcer;
        boolean isApart = setting.has(Chance.CONNECTIONS_OF_THE_ANNOUNCER_APART);
        boolean comesLater = setting.has(Chance.THE_ANNOUNCER_COMES_LATER);
        if (!announcer.scripts.isNone() && !comesLater) {
            State next = state.copy();
            loseScripts(next.announcer, setting);
            if (!isApart) {
                loseRevocations(next.announcer);
            }
            steps.to(next, ANNOUNCER, isApart ? "loses the connection for scripts" : "loses its connections");
        }
        if (isApart && !announcer.revocations.isNone()) {
            State next = state.copy();
            loseRevocations(next.announcer);
            steps.to(next, ANNOUNCER, "loses the connection for revocations");
        }
        for (int server = 0; server < state.servers.length; server++) {
            boolean isNamed =
                    setting.has(Rule.A_MAJORITY_IS_FOLLOWED) ? state.isNamed(server) : state.isNamedByAny(server);
            if (!isNamed || (comesLater && server == 0)) {
                continue;
            }
            if (announcer.scripts.isNone()) {
                State next = state.copy();
                next.announcer.scripts = Link.to(server);
                if (!isApart) {
                    next.announcer.revocations = Link.to(server);
                }
                steps.to(next, ANNOUNCER, "connects", isApart ? "for scripts to" : "to", name(server));
            }
            if (isApart && announcer.revocations.isNone()) {
                State next = state.copy();
                next.announcer.revocations = Link.to(server);
                steps.to(next, ANNOUNCER, "connects for revocations to", name(server));
            }
        }
    }

    private static void loseScripts(Announcer announcer, Setting setting) {
        announcer.scripts = Link.NONE;
        boolean isFenced = announcer.step.compareTo(Step.FENCED) >= 0;
        if (isFenced && setting.has(Rule.FENCES_ARE_SENT_AGAIN)) {
            announcer.isPending = true;
        }
        if (announcer.isWaiting() && setting.has(Rule.A_LOST_CONNECTION_ENDS_THE_WAIT)) {
            announcer.step = Step.UNCONFIRMED;
        }
    }

    private static void loseRevocations(Announcer announcer) {
        announcer.revocations = Link.NONE;
        if (announcer.step == Step.NUMBERED) {
            announcer.step = Step.UNCONFIRMED;
        }
    }

    static void loseConnectionsTo(State next, int server, Setting setting) {
        if (next.announcer.scripts.leadsTo(server)) {
            loseScripts(next.announcer, setting);
        }
        if (next.announcer.revocations.leadsTo(server)) {
            loseRevocations(next.announcer);
        }
    }

    /** A heartbeat of the announcer, which may find another register. */
    private void enter(State state, Steps<State> steps) {
        Link scripts = state.announcer.scripts;
        if (!scripts.isMade() || !state.takesWrites(scripts.server(), setting)) {
            return;
        }
        State next = state.copy();
        Server server = next.servers[scripts.server()];
        next.replaceRegister(scripts.server(), server.history, setting);
        if (next.announcer.register != server.register) {
            next.announcer.register = server.register;
            next.announcer.known = 0;
            next.replicate(scripts.server());
            steps.to(next, ANNOUNCER, "enters the register on", name(scripts.server()));
        }
    }

    private void sendAgain(State state, Steps<State> steps) {
        Link scripts = state.announcer.scripts;
        if (state.announcer.isPending && scripts.isMade() && state.takesWrites(scripts.server(), setting)) {
            State next = state.copy();
            next.fence(scripts.server());
            next.announcer.isPending = false;
            steps.to(next, ANNOUNCER, "sends FENCE again to", name(scripts.server()));
        }
    }

    // The ban.

    private void fence(State state, Steps<State> steps) {
        Link scripts = state.announcer.scripts;
        if (!scripts.isMade()) {
            return;
        }
        State next = state.copy();
        if (state.takesWrites(scripts.server(), setting)) {
            next.fence(scripts.server());
            next.announcer.step = Step.FENCED;
            steps.to(next, ANNOUNCER, "commits the ban and sends FENCE to", name(scripts.server()));
        } else {
            next.announcer.isPending = true;
            next.announcer.step = Step.UNCONFIRMED;
            steps.to(next, ANNOUNCER, "commits the ban and sends FENCE in vain to", name(scripts.server()));
        }
    }

    private void number(State state, Steps<State> steps) {
        Link revocations = state.announcer.revocations;
        if (!revocations.isMade() || !state.takesWrites(revocations.server(), setting)) {
            return;
        }
        State next = state.copy();
        Link scripts = state.announcer.scripts;
        Server server = next.servers[revocations.server()];
        // The history is that of the server of the other connection.
        next.replaceRegister(
                revocations.server(),
                scripts.isMade() ? next.servers[scripts.server()].history : server.history,
                setting);
        server.hasNumber = true;
        if (server.entry == Entry.WITH_THE_NUMBER) {
            server.entry = Entry.WITHOUT_THE_NUMBER;
        }
        next.replicate(revocations.server());
        next.announcer.numberedIn = server.register;
        next.announcer.numbered = 0;
        next.announcer.step = Step.NUMBERED;
        steps.to(next, ANNOUNCER, "sends REVOKE to", name(revocations.server()));
    }

    private void hearReplicas(State state, Steps<State> steps) {
        State next = state.copy();
        boolean isAcknowledged = isAcknowledged(state);
        next.announcer.step = isAcknowledged ? Step.ACKNOWLEDGED : Step.UNCONFIRMED;
        steps.to(next, isAcknowledged ? "the replicas acknowledge the ban" : "not all replicas acknowledge the ban");
    }

    private boolean isAcknowledged(State state) {
        if (!setting.has(Rule.REPLICAS_ACKNOWLEDGE)) {
            return true;
        }
        if (!setting.has(Rule.ALL_KNOWN_REPLICAS_ACKNOWLEDGE)) {
            return true; // those that are connected have all that the primary has
        }
        int primary = state.announcer.revocations.server();
        int known = 0;
        boolean isByAll = true;
        for (int server = 0; server < state.servers.length; server++) {
            if (server != primary && !state.isForgotten(server, setting)) {
                known++;
                isByAll &= state.isReplica(server, primary);
            }
        }
        return setting.has(Rule.REPLICAS_ARE_TOLD_BY_ADDRESS) ? isByAll : state.replicasOf(primary) >= known;
    }

    private void hearSentinels(State state, Steps<State> steps) {
        Announcer announcer = state.announcer;
        boolean isNamed = announcer.scripts.isMade()
                && announcer.revocations.leadsTo(announcer.scripts.server())
                && state.isNamed(announcer.scripts.server());
        boolean goesOn = isNamed || !setting.has(Rule.A_MAJORITY_IS_ASKED_AFTER);
        State next = state.copy();
        next.announcer.step = goesOn ? Step.NAMED : Step.UNCONFIRMED;
        steps.to(
                next, isNamed ? "a majority names the announcer's server" : "no majority names the announcer's server");
    }

    private void confirm(State state, Steps<State> steps) {
        boolean isWaitedOut = state.announcer.numbered > Time.BOUND;
        if (isWaitedOut || isSeenByAll(state)) {
            State next = state.copy();
            next.announcer.step = Step.CONFIRMED;
            steps.to(next, ANNOUNCER, "has a confirmed receipt,", isWaitedOut ? "after the bound" : "from all nodes");
        }
    }

    private boolean isSeenByAll(State state) {
        if (!setting.has(Rule.ENTRIES_ARE_WAITED_FOR)) {
            return true;
        }
        Announcer announcer = state.announcer;
        boolean isComplete = announcer.register == announcer.numberedIn
                && (announcer.known > Time.BOUND || !setting.has(Rule.A_NEW_REGISTER_IS_WAITED_OUT));
        if (!isComplete || !announcer.scripts.isMade()) {
            return false;
        }
        Server server = state.servers[announcer.scripts.server()];
        return server.register == announcer.numberedIn && server.entry != Entry.WITHOUT_THE_NUMBER;
    }
}
