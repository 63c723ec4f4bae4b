package dev.usher.model.register;

import dev.usher.model.Model;
import dev.usher.model.Packer;
import dev.usher.model.register.Announcer.Step;
import java.util.EnumSet;
import java.util.Set;

/** A ban while the register of nodes loses entries and numbers. */
final class RegisterModel implements Model<State, Property> {

    private final Heartbeats heartbeats;
    private final Bans bans;
    private final Losses losses;

    RegisterModel(Setting setting) {
        this.heartbeats = new Heartbeats(setting);
        this.bans = new Bans(setting);
        this.losses = new Losses(setting);
    }

    @Override
    public State first() {
        return new State();
    }

    @Override
    public void stepsFrom(State state, Steps<State> steps) {
        if (state.announcer.step == Step.UNCONFIRMED) {
            return; // nothing was promised
        }
        bans.stepsFrom(state, steps);
        heartbeats.stepsFrom(state, steps);
        Reads.stepsFrom(state, steps);
        losses.stepsFrom(state, steps);
        State later = state.copy();
        later.node.becomeOlder();
        later.announcer.becomeOlder();
        later.other.becomeOlder();
        steps.to(later, "a tick passes");
    }

    @Override
    public void write(State state, Packer to) {
        state.write(to);
    }

    @Override
    public Set<Property> brokenIn(State state) {
        Set<Property> broken = EnumSet.noneOf(Property.class);
        if (state.announcer.step == Step.CONFIRMED) {
            if (Reads.answersEnabled(state)) {
                broken.add(Property.RECEIPT);
            }
            if (state.node.isOpen && state.node.isAnswering() && !isAwaited(state)) {
                broken.add(Property.OPEN);
            }
        }
        return broken;
    }

    /** Whether the node is ending what is open, and has not said that it has: the receipt has waited for the bound, and listeners are slow. */
    private static boolean isAwaited(State state) {
        boolean isSaid =
                state.register.name == state.announcer.numberedIn && state.register.entry >= state.announcer.number;
        return state.node.isEnding && !isSaid;
    }
}
