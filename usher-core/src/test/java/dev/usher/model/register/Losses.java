package dev.usher.model.register;

import dev.usher.model.Model.Steps;
import dev.usher.model.register.Announcer.Step;

/** What may become of the register, once. */
final class Losses {

    private final Setting setting;

    Losses(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        if (state.isLost) {
            return;
        }
        if (setting.has(Chance.A_FLUSH)) {
            State next = lose(state);
            next.register.holdsOldValue = false;
            if (next.node.isConnected) {
                next.node.flushed = next.node.pushedNow();
                next.node.isValueTracked = false;
            }
            steps.to(next, "Redis is flushed");
        }
        if (setting.has(Chance.A_RESTART)) {
            State next = lose(state);
            next.register.holdsOldValue = false;
            loseConnections(next);
            steps.to(next, "Redis is restarted, and empty");
        }
        if (setting.has(Chance.AN_EVICTION)) {
            steps.to(lose(state), "the register is evicted");
        }
        // What a register from before the ban has lost is another matter: the value is as old.
        if (setting.has(Chance.AN_OLDER_REGISTER)
                && state.announcer.step == Step.NOT_BEGUN
                && state.register.number > 0) {
            State next = state.copy();
            next.isLost = true;
            next.register.number--;
            next.register.names = Math.max(next.register.names - 1, 0);
            next.register.entry = Math.min(next.register.entry, next.register.number);
            next.register.hasMark = false;
            loseConnections(next);
            steps.to(next, "Redis is restarted, with a register from before the last number");
        }
    }

    private static State lose(State state) {
        State next = state.copy();
        next.isLost = true;
        next.register.lose();
        return next;
    }

    private static void loseConnections(State next) {
        Heartbeats.loseConnection(next.node);
        Step step = next.announcer.step;
        if (step == Step.FENCED || step == Step.NUMBERED) {
            next.announcer.step = Step.UNCONFIRMED;
        }
    }
}
