package dev.usher.model.failover;

import dev.usher.model.Model;
import dev.usher.model.Packer;
import dev.usher.model.failover.Announcer.Step;
import java.util.EnumSet;
import java.util.Set;

/** A ban while the primary is replaced. */
final class FailoverModel implements Model<State, Property> {

    private final Setting setting;
    private final Replication replication;
    private final Reading reading;
    private final Announcing announcing;

    /** The age of the oldest "enabled" that was answered after the replicas and the Sentinels had confirmed a ban. */
    private int oldestAnswer;

    FailoverModel(Setting setting) {
        this.setting = setting;
        this.replication = new Replication(setting);
        this.reading = new Reading(setting);
        this.announcing = new Announcing(setting);
    }

    int oldestAnswer() {
        return oldestAnswer;
    }

    @Override
    public State first() {
        State first = new State(setting.servers());
        if (setting.has(Chance.THE_ANNOUNCER_COMES_LATER)) {
            first.announcer.scripts = Link.NONE;
            first.announcer.revocations = Link.NONE;
        }
        return first;
    }

    @Override
    public void stepsFrom(State state, Steps<State> into) {
        Steps<State> steps = (next, words) -> {
            next.tidy();
            into.to(next, words);
        };
        announcing.stepsFrom(state, steps);
        if (state.announcer.step != Step.UNCONFIRMED) {
            reading.stepsFrom(state, steps);
        }
        replication.stepsFrom(state, steps);
        State later = state.copy();
        later.reader.becomeOlder();
        later.announcer.becomeOlder();
        steps.to(later, "a tick passes");
    }

    @Override
    public void write(State state, Packer to) {
        state.write(to);
    }

    @Override
    public Set<Property> brokenIn(State state) {
        Set<Property> broken = EnumSet.noneOf(Property.class);
        boolean isEnabled = state.isDisabled() && answersEnabled(state);
        if (isEnabled && state.announcer.step == Step.NAMED) {
            oldestAnswer = Math.max(oldestAnswer, state.announcer.numbered);
        }
        if (isEnabled && state.announcer.step == Step.CONFIRMED) {
            broken.add(Property.RECEIPT);
        }
        if (staysOld(state)) {
            broken.add(Property.STAYS);
        }
        return broken;
    }

    /** Whether a caller that comes now may be told that the user is enabled. */
    private boolean answersEnabled(State state) {
        Reader reader = state.reader;
        return reader.answersFromMemory()
                || (reader.believesRedis(setting) && state.servers[reader.reads.server()].holdsOldValue);
    }

    /** Whether nothing is left to be done, and the primary holds the old value. */
    private static boolean staysOld(State state) {
        Announcer announcer = state.announcer;
        int primary = state.primary();
        boolean isOver = announcer.step == Step.CONFIRMED
                || (announcer.step == Step.UNCONFIRMED && !announcer.isPending && announcer.scripts.leadsTo(primary));
        return isOver && state.informed() == state.sentinels.length && state.servers[primary].holdsOldValue;
    }
}
