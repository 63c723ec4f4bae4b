package dev.usher.model.reads;

import dev.usher.model.Model;
import dev.usher.model.Packer;
import dev.usher.model.Time;
import dev.usher.model.reads.Server.Value;
import dev.usher.model.reads.State.Ban;
import java.util.EnumSet;
import java.util.Set;

/** Answers that are under way while a user is banned. */
final class ReadsModel implements Model<State, Property> {

    private final Banning banning;
    private final Connection connection;
    private final Loading loading;

    ReadsModel(Setting setting) {
        this.banning = new Banning(setting);
        this.connection = new Connection(setting);
        this.loading = new Loading(setting);
    }

    @Override
    public State first() {
        return new State();
    }

    @Override
    public void stepsFrom(State state, Steps<State> steps) {
        if (state.ban == Ban.UNCONFIRMED) {
            return; // nothing was promised
        }
        banning.stepsFrom(state, steps);
        connection.stepsFrom(state, steps);
        loading.stepsFrom(state, steps);
        State later = state.copy();
        later.node.becomeOlder();
        later.numbered = state.ban == Ban.NUMBERED ? Time.older(state.numbered) : 0;
        steps.to(later, "a tick passes");
    }

    @Override
    public void write(State state, Packer to) {
        state.write(to);
    }

    @Override
    public Set<Property> brokenIn(State state) {
        Set<Property> broken = EnumSet.noneOf(Property.class);
        boolean isMisled = state.isMisled || (state.isConfirmed() && state.node.answersFromMemory());
        if (isMisled) {
            broken.add(Property.RECEIPT);
        }
        if (state.isConfirmed() && state.servers[state.primary()].value == Value.ENABLED) {
            broken.add(Property.STAYS);
        }
        return broken;
    }
}
