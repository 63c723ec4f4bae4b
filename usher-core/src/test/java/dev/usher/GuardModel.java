package dev.usher;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Every interleaving of two readers, a login and two writers over one user's entry, with the passing of time and the loss
 * of keys; breadth first, so that the first old value found has the shortest story.
 *
 * <p>What the shared tier does is not modelled: each step that touches it is run by {@link Redis}, from the very state
 * that the interleaving has reached. What is modelled is the rest: who has read which version, and what is yet to come.
 * Time passes only in the steps that say so.
 */
final class GuardModel {

    /** A claim's lease is the unit of time here; a fence lives for five of them. */
    static final int LEASE = 1;

    static final int FENCE = 5;

    private static final int BATCH = 500;

    enum Who {
        READER_0,
        READER_1,
        LOGIN,
        WRITER_0,
        WRITER_1
    }

    /** A call of the shared tier. */
    enum Operation {
        CLAIM,
        RENEW,
        FILL,
        OFFER,
        FENCE,
        SET
    }

    /** What may happen at any time, as often as a history's budget allows. */
    enum Chance {
        A_LEASE_PASSES,
        A_FENCE_PASSES,
        THE_VALUE_IS_EVICTED,
        THE_GUARD_IS_EVICTED,
        A_CLAIM_IS_RENEWED
    }

    /** What is taken out of the rules that callers follow, to see that it is missed. */
    enum Fault {
        NONE,
        READ_BEFORE_CLAIM,
        SET_INSTEAD_OF_FENCE
    }

    /**
     * A guard as it stands in Redis.
     *
     * @param holder whose claim it is, or {@code null} for a fence
     * @param lease what the claim has left, 0 when its deadline has passed
     * @param ttl what the key has left
     */
    record Guard(@Nullable Who holder, int lease, int ttl) {}

    /** What the shared tier holds: a version and a guard, either of which may be missing. */
    record Stored(@Nullable Integer value, @Nullable Guard guard) {}

    /**
     * A call of the shared tier, from the state in which it finds it.
     *
     * @param version what is to be stored
     * @param age how long ago it was read
     */
    record Call(Stored from, Operation operation, Who who, int version, int age) {}

    /** The state after a call, and whether the call was granted or accepted. */
    record Outcome(Stored stored, boolean accepted) {}

    /** Runs calls on a real shared tier. */
    interface Redis {

        List<Outcome> run(List<Call> calls) throws Exception;
    }

    /**
     * What an exploration has found.
     *
     * @param states how many states were reached
     * @param calls how many calls the shared tier has answered
     * @param story the steps that lead to an old value that stays, or an empty list
     */
    record Finding(int states, long calls, List<String> story) {}

    private enum Phase {
        IDLE,
        CLAIMED,
        READ,
        COMMITTED,
        DONE
    }

    private record Actor(Phase phase, int version, int age) {

        static final Actor IDLE = new Actor(Phase.IDLE, 0, 0);
        static final Actor CLAIMED = new Actor(Phase.CLAIMED, 0, 0);
        static final Actor DONE = new Actor(Phase.DONE, 0, 0);

        Actor older(int by) {
            return phase == Phase.READ ? new Actor(phase, version, Math.min(FENCE, age + by)) : this;
        }
    }

    private record State(int database, Stored stored, Map<Who, Actor> actors, Map<Chance, Integer> chances) {

        Actor actor(Who who) {
            return actors.getOrDefault(who, Actor.DONE);
        }

        State with(Who who, Actor actor) {
            Map<Who, Actor> changed = new HashMap<>(actors);
            changed.put(who, actor);
            return new State(database, stored, Map.copyOf(changed), chances);
        }

        State with(Stored stored) {
            return new State(database, stored, actors, chances);
        }

        State withNextVersion() {
            return new State(database + 1, stored, actors, chances);
        }

        boolean has(Chance chance) {
            return chances.getOrDefault(chance, 0) > 0;
        }

        State without(Chance chance) {
            Map<Chance, Integer> left = new HashMap<>(chances);
            left.merge(chance, -1, Integer::sum);
            return new State(database, stored, actors, Map.copyOf(left));
        }

        State later(int time) {
            Guard guard = stored.guard();
            Guard older = guard == null || guard.ttl() <= time
                    ? null
                    : new Guard(guard.holder(), Math.max(0, guard.lease() - time), guard.ttl() - time);
            return with(new Stored(stored.value(), older))
                    .with(Who.LOGIN, actor(Who.LOGIN).older(time));
        }

        /** Nobody has anything left to do, and the entry is older than the database. */
        boolean isOldForEver() {
            Integer value = stored.value();
            return value != null
                    && value < database
                    && actors.values().stream().allMatch(actor -> actor.phase() == Phase.DONE);
        }
    }

    /** A step: at once, or with a call of the shared tier. */
    private record Step(State from, String label, @Nullable Call call, Function<Outcome, State> to) {}

    private final Redis redis;
    private final Fault fault;

    GuardModel(Redis redis, Fault fault) {
        this.redis = redis;
        this.fault = fault;
    }

    /**
     * Explores until every state has been reached, or an old value that stays has been found.
     *
     * @param idle who takes part
     * @param chances how often each of them may happen in one history
     */
    Finding explore(List<Who> idle, Map<Chance, Integer> chances) throws Exception {
        Map<Who, Actor> actors = new HashMap<>();
        idle.forEach(who -> actors.put(who, Actor.IDLE));
        State start = new State(1, new Stored(null, null), Map.copyOf(actors), Map.copyOf(chances));
        Map<State, @Nullable Step> reachedBy = new HashMap<>();
        reachedBy.put(start, null);
        Queue<State> frontier = new ArrayDeque<>(List.of(start));
        long answered = 0;
        while (!frontier.isEmpty()) {
            List<Step> steps = new ArrayList<>();
            for (int i = 0; i < BATCH && !frontier.isEmpty(); i++) {
                steps.addAll(stepsFrom(frontier.remove()));
            }
            List<Call> calls = new ArrayList<>();
            for (Step step : steps) {
                if (step.call() != null) {
                    calls.add(step.call());
                }
            }
            var outcomes = redis.run(calls).iterator();
            answered += calls.size();
            for (Step step : steps) {
                Outcome outcome = step.call() == null ? new Outcome(step.from().stored(), true) : outcomes.next();
                State reached = step.to().apply(outcome);
                if (!reachedBy.containsKey(reached)) {
                    reachedBy.put(reached, step);
                    if (reached.isOldForEver()) {
                        return new Finding(reachedBy.size(), answered, story(reachedBy, reached));
                    }
                    frontier.add(reached);
                }
            }
        }
        return new Finding(reachedBy.size(), answered, List.of());
    }

    private List<Step> stepsFrom(State state) {
        List<Step> steps = new ArrayList<>();
        // Readers are alike, and so are writers: which of two that have not begun begins, makes no difference.
        addReaderSteps(steps, state, Who.READER_0);
        if (state.actor(Who.READER_0).phase() != Phase.IDLE) {
            addReaderSteps(steps, state, Who.READER_1);
        }
        addLoginSteps(steps, state);
        addWriterSteps(steps, state, Who.WRITER_0);
        if (state.actor(Who.WRITER_0).phase() != Phase.IDLE) {
            addWriterSteps(steps, state, Who.WRITER_1);
        }
        addChances(steps, state);
        return steps;
    }

    private void addReaderSteps(List<Step> steps, State state, Who who) {
        Actor reader = state.actor(who);
        boolean readsFirst = fault == Fault.READ_BEFORE_CLAIM;
        switch (reader.phase()) {
            case IDLE -> steps.add(readsFirst ? read(state, who) : claim(state, who, Actor.CLAIMED));
            case CLAIMED -> {
                steps.add(readsFirst ? store(state, Operation.FILL, who) : read(state, who));
                addRenewal(steps, state, who);
            }
            case READ -> {
                steps.add(
                        readsFirst
                                ? claim(state, who, new Actor(Phase.CLAIMED, reader.version(), 0))
                                : store(state, Operation.FILL, who));
                addRenewal(steps, state, who);
            }
            default -> {}
        }
    }

    private static void addLoginSteps(List<Step> steps, State state) {
        switch (state.actor(Who.LOGIN).phase()) {
            case IDLE -> steps.add(read(state, Who.LOGIN));
            case READ -> steps.add(store(state, Operation.OFFER, Who.LOGIN));
            default -> {}
        }
    }

    private void addWriterSteps(List<Step> steps, State state, Who who) {
        switch (state.actor(who).phase()) {
            case IDLE -> {
                State committed = state.withNextVersion();
                Actor writer = new Actor(Phase.COMMITTED, committed.database(), 0);
                steps.add(atOnce(state, who + " commits " + committed.database(), committed.with(who, writer)));
            }
            case COMMITTED ->
                steps.add(store(state, fault == Fault.SET_INSTEAD_OF_FENCE ? Operation.SET : Operation.FENCE, who));
            default -> {}
        }
    }

    private static void addChances(List<Step> steps, State state) {
        Stored stored = state.stored();
        addChance(steps, state, Chance.A_LEASE_PASSES, state.later(LEASE));
        addChance(steps, state, Chance.A_FENCE_PASSES, state.later(FENCE));
        addChance(steps, state, Chance.THE_VALUE_IS_EVICTED, state.with(new Stored(null, stored.guard())));
        addChance(steps, state, Chance.THE_GUARD_IS_EVICTED, state.with(new Stored(stored.value(), null)));
    }

    private static void addChance(List<Step> steps, State state, Chance chance, State after) {
        if (state.has(chance)) {
            steps.add(atOnce(state, chance.name(), after.without(chance)));
        }
    }

    private static void addRenewal(List<Step> steps, State state, Who who) {
        if (state.has(Chance.A_CLAIM_IS_RENEWED)) {
            Call renew = new Call(state.stored(), Operation.RENEW, who, 0, 0);
            steps.add(new Step(
                    state,
                    who + " RENEW",
                    renew,
                    outcome -> state.with(outcome.stored()).without(Chance.A_CLAIM_IS_RENEWED)));
        }
    }

    private static Step claim(State state, Who who, Actor granted) {
        Call claim = new Call(state.stored(), Operation.CLAIM, who, 0, 0);
        return new Step(
                state,
                who + " CLAIM",
                claim,
                outcome -> state.with(outcome.stored()).with(who, outcome.accepted() ? granted : Actor.DONE));
    }

    /** The last call of an actor. */
    private static Step store(State state, Operation operation, Who who) {
        Actor actor = state.actor(who);
        Call call = new Call(state.stored(), operation, who, actor.version(), actor.age());
        return new Step(
                state,
                who + " " + operation + " " + actor.version(),
                call,
                outcome -> state.with(outcome.stored()).with(who, Actor.DONE));
    }

    private static Step read(State state, Who who) {
        return atOnce(
                state, who + " reads " + state.database(), state.with(who, new Actor(Phase.READ, state.database(), 0)));
    }

    private static Step atOnce(State from, String label, State to) {
        return new Step(from, label, null, outcome -> to);
    }

    private static List<String> story(Map<State, @Nullable Step> reachedBy, State end) {
        List<String> story = new ArrayList<>();
        for (Step step = reachedBy.get(end); step != null; step = reachedBy.get(step.from())) {
            story.add(step.label());
        }
        Collections.reverse(story);
        return story;
    }
}
