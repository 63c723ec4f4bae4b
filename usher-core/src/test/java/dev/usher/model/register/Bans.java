package dev.usher.model.register;

import dev.usher.model.Model.Steps;
import dev.usher.model.Time;
import dev.usher.model.register.Announcer.Step;

/** What the announcers do. */
final class Bans {

    private static final String ANNOUNCER = "the announcer";

    private final Setting setting;

    Bans(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        enter(state, steps);
        switch (state.announcer.step) {
            case NOT_BEGUN -> fence(state, steps);
            case FENCED -> number(state, steps);
            case NUMBERED -> confirm(state, steps);
            default -> {}
        }
        if (setting.has(Chance.OTHER_BANS)) {
            banOthers(state, steps);
        }
        if (setting.has(Chance.SWEEPS)) {
            noteChanges(state, steps);
        }
        takeOut(state, steps);
    }

    /** A heartbeat of the announcer, which may find another register or begin one. */
    private static void enter(State state, Steps<State> steps) {
        Announcer announcer = state.announcer;
        if (announcer.step != Step.CONFIRMED && announcer.register != state.register.name) {
            State next = state.copy();
            next.register.beginIfNone();
            next.announcer.register = next.register.name;
            next.announcer.known = 0;
            steps.to(next, ANNOUNCER, "enters a new register");
        }
    }

    private static void fence(State state, Steps<State> steps) {
        State next = state.copy();
        next.register.holdsOldValue = false;
        if (next.node.isValueTracked) {
            next.node.isValueTracked = false;
            next.node.changed = next.node.pushedNow();
        }
        next.announcer.step = Step.FENCED;
        steps.to(next, ANNOUNCER, "commits the ban and sends FENCE");
    }

    private static void number(State state, Steps<State> steps) {
        if (state.register.number == Register.MAX_NUMBER) {
            return;
        }
        State next = state.copy();
        next.register.giveNumber();
        next.announcer.numberedIn = next.register.name;
        next.announcer.number = next.register.number;
        next.announcer.numbered = 0;
        next.announcer.step = Step.NUMBERED;
        steps.to(next, ANNOUNCER, "sends REVOKE and has number", next.register.number);
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
        int entry = state.register.entry;
        return isComplete
                && state.register.name == announcer.numberedIn
                && (entry == Register.NO_ENTRY || entry >= announcer.number);
    }

    private static void banOthers(State state, Steps<State> steps) {
        if (state.register.number == Register.MAX_NUMBER) {
            return;
        }
        State next = state.copy();
        next.register.giveNumber();
        next.other.await(next.register.name, false);
        steps.to(next, "another user is banned with number", next.register.number);
    }

    private static void noteChanges(State state, Steps<State> steps) {
        if (state.register.isThere() && !state.other.isWaiting) {
            State next = state.copy();
            next.other.await(next.register.name, true);
            steps.to(next, "another node notes how often entries have changed");
        }
    }

    private void takeOut(State state, Steps<State> steps) {
        OtherAnnouncer other = state.other;
        boolean isLongAgo = other.hasWaited() || !setting.has(Rule.A_SILENT_NODE_IS_WAITED_OUT);
        boolean isUnchanged = !other.hasEntryChanged || !setting.has(Rule.AN_ENTRY_THAT_CHANGES_STAYS);
        if (other.isWaiting
                && isLongAgo
                && isUnchanged
                && other.numberedIn == state.register.name
                && state.register.entry != Register.NO_ENTRY) {
            State next = state.copy();
            next.register.entry = Register.NO_ENTRY;
            next.register.hasMark = false;
            next.other.isWaiting = false;
            steps.to(next, "the node is taken out of the register");
        }
    }
}
