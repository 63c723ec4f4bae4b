package dev.usher.model.register;

import dev.usher.model.Model.Steps;
import dev.usher.model.register.Node.Push;

/** How the node reads the user's status and lets the user in. */
final class Reads {

    private Reads() {}

    static void stepsFrom(State state, Steps<State> steps) {
        Node node = state.node;
        if (!node.isInMemory && node.isTracked && node.believesRedis() && state.register.holdsOldValue) {
            State next = state.copy();
            next.node.isInMemory = true;
            next.node.isValueTracked = true;
            steps.to(next, "the node reads 'enabled'");
        }
        if (!node.isOpen && answersEnabled(state)) {
            State next = state.copy();
            next.node.isOpen = true;
            steps.to(next, "the user opens a connection to the node");
        }
        boolean isNext =
                node.changed == Push.BEFORE_THE_LOOK || (node.changed == Push.AFTER_THE_LOOK && !node.isLooking);
        if (isNext) {
            State next = state.copy();
            next.node.forget();
            steps.to(next, "the node hears that the value has changed");
        }
    }

    /** Whether a caller that comes now may be told that the user is enabled. */
    static boolean answersEnabled(State state) {
        Node node = state.node;
        return (node.isInMemory && node.isAnswering()) || (node.believesRedis() && state.register.holdsOldValue);
    }
}
