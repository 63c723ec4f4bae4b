package dev.usher.redis;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Every interleaving of readers, refreshers, a login and writers on one user's entry, with time steps and the loss of keys. The search is
 * breadth first, so that the first old value is found with the shortest story.
 *
 * <p>The shared tier itself is not modelled: {@link Redis} runs each of its calls, from the very state that the interleaving has reached.
 * The model holds the rest: the version that each participant has read, and its next steps. Time passes only in explicit steps. A value is
 * always near enough to its expiry to be refreshed, and may expire at any time.
 */
final class GuardModel {

    /** A claim's lease is the unit of time here; the TTL of a fence is five of them. */
    static final int LEASE = 1;

    static final int FENCE = 5;

    private static final int BATCH = 500;

    enum Participant {
        READER_0,
        READER_1,
        REFRESHER_0,
        REFRESHER_1,
        LOGIN,
        WRITER_0,
        WRITER_1,
        /** A caller of the first reader's process that joins its load after the query has begun, and is answered by it or asks anew. */
        CALLER,
        /** A writer without guards: after its commit it sets the new value. */
        FOREIGN_SETTER,
        /** A writer without guards: after its commit it deletes the value. */
        FOREIGN_DELETER
    }

    /** A call of the shared tier. */
    enum Operation {
        CLAIM,
        REFRESH,
        RENEW,
        RELEASE,
        FILL,
        /** Ends a load that has found no user, and stores nothing. */
        ABSENT,
        OFFER,
        FENCE,
        SET,
        DELETE
    }

    /** Events that may happen at any time, as often as a history's budget allows. */
    enum Chance {
        A_LEASE_PASSES,
        A_FENCE_PASSES,
        THE_VALUE_IS_EVICTED,
        THE_GUARD_IS_EVICTED,
        A_CLAIM_IS_RENEWED,
        A_CLAIM_IS_GIVEN_UP,
        /** It never reaches Redis, or its answer never comes back. */
        A_FILL_IS_LOST
    }

    /** The rule of the callers that is taken out, to show that it is needed. */
    enum Fault {
        NONE,
        READ_BEFORE_CLAIM,
        READ_BEFORE_REFRESH,
        SET_INSTEAD_OF_FILL,
        SET_INSTEAD_OF_FENCE,
        ANSWER_WITHOUT_THE_FILL,
        ANSWER_BY_A_FILL_UNDER_WAY,
        ANSWER_BY_A_REFUSED_FILL
    }

    /**
     * The content of a guard in Redis.
     *
     * @param holder of the claim, or {@code null} for a fence
     * @param lease the time that the claim has left, 0 when its deadline has passed
     * @param ttl the remaining TTL of the key
     */
    record Guard(@Nullable Participant holder, int lease, int ttl) {}

    /** The content of the shared tier: a version and a guard, either of which may be missing. */
    record Stored(@Nullable Integer value, @Nullable Guard guard) {

        static final Stored NOTHING = new Stored(null, null);

        /** A value that was true when it was stored, so long ago that its fence has expired. */
        static final Stored A_VALUE = new Stored(1, null);
    }

    /**
     * A call of the shared tier, and the state before it.
     *
     * @param version the version to store
     * @param age the time since the version was read
     * @param replaced the version that the call may replace
     * @param free whether the claim was granted where there was neither a value nor a guard
     */
    record Call(
            Stored from,
            Operation operation,
            Participant participant,
            int version,
            int age,
            @Nullable Integer replaced,
            boolean free) {}

    /**
     * The result of a call.
     *
     * @param stored the state after it
     * @param accepted whether it was granted or accepted
     * @param replaced the version that the claim may replace
     * @param free whether a claim was granted where there was neither a value nor a guard
     */
    record Outcome(
            Stored stored, boolean accepted, @Nullable Integer replaced, boolean free) {}

    /** Runs calls on a real shared tier. */
    interface Redis {

        List<Outcome> run(List<Call> calls) throws Exception;
    }

    /**
     * The result of an exploration.
     *
     * @param states how many states were reached
     * @param calls how many calls of the shared tier were made
     * @param story the steps that lead to an old value that stays, or an empty list
     */
    record Finding(int states, long calls, List<String> story) {}

    private enum Phase {
        IDLE,
        CLAIMED,
        READ,
        /** A fill is under way, for which no thread waits. */
        SENT,
        /** Redis has taken the fill, or the absence, and its answer is under way. */
        STORED,
        REFUSED,
        COMMITTED,
        /** A caller that came before the fill was sent. */
        JOINED,
        /** A caller that came after it. */
        LATE,
        /** A caller that was answered with an older version than the last one that had been fenced when it came. */
        OUTDATED,
        DONE
    }

    private record Actor(
            Phase phase, int version, int age, @Nullable Integer replaced, boolean free) {

        static final Actor IDLE = new Actor(Phase.IDLE, 0, 0, null, false);
        static final Actor DONE = new Actor(Phase.DONE, 0, 0, null, false);

        Actor in(Phase next) {
            return new Actor(next, version, age, replaced, free);
        }

        Actor with(int read) {
            return new Actor(phase, read, 0, replaced, free);
        }

        Actor granted(Outcome claim) {
            return new Actor(phase, version, age, claim.replaced(), claim.free());
        }

        Actor older(int by) {
            return phase == Phase.READ ? new Actor(phase, version, Math.min(FENCE, age + by), replaced, free) : this;
        }
    }

    /**
     * A state.
     *
     * @param fenced the latest version whose fence Redis has executed
     */
    private record State(
            int database, int fenced, Stored stored, Map<Participant, Actor> actors, Map<Chance, Integer> chances) {

        Actor actor(Participant participant) {
            return actors.getOrDefault(participant, Actor.DONE);
        }

        boolean hasBegun(Participant participant) {
            return actor(participant).phase() != Phase.IDLE;
        }

        State with(Participant participant, Actor actor) {
            Map<Participant, Actor> changed = new HashMap<>(actors);
            changed.put(participant, actor);
            return new State(database, fenced, stored, Map.copyOf(changed), chances);
        }

        State with(Stored stored) {
            return new State(database, fenced, stored, actors, chances);
        }

        State withNextVersion() {
            return new State(database + 1, fenced, stored, actors, chances);
        }

        State withFence(int version) {
            return new State(database, Math.max(fenced, version), stored, actors, chances);
        }

        boolean has(Chance chance) {
            return chances.getOrDefault(chance, 0) > 0;
        }

        State without(Chance chance) {
            Map<Chance, Integer> left = new HashMap<>(chances);
            left.merge(chance, -1, Integer::sum);
            return new State(database, fenced, stored, actors, Map.copyOf(left));
        }

        State withoutChances() {
            return new State(database, fenced, stored, actors, Map.of());
        }

        /** Whether these chances allow everything that the other ones allow. */
        boolean hasNoMoreThan(Map<Chance, Integer> others) {
            return chances.entrySet().stream()
                    .allMatch(left -> left.getValue() <= others.getOrDefault(left.getKey(), 0));
        }

        State later(int time) {
            Guard guard = stored.guard();
            Guard older = guard == null || guard.ttl() <= time
                    ? null
                    : new Guard(guard.holder(), Math.max(0, guard.lease() - time), guard.ttl() - time);
            return with(new Stored(stored.value(), older))
                    .with(Participant.LOGIN, actor(Participant.LOGIN).older(time));
        }

        /**
         * Whether the entry is older than a fence that Redis has executed, or no participant has a step left and the entry is older than the
         * database; or the caller was answered with a version that is older than a fence from before it came.
         */
        boolean isWrong() {
            Integer value = stored.value();
            boolean isOld = value != null && (value < fenced || (value < database && isOver()));
            return isOld || actor(Participant.CALLER).phase() == Phase.OUTDATED;
        }

        private boolean isOver() {
            return actors.entrySet().stream()
                    .allMatch(actor -> actor.getKey() == Participant.CALLER
                            || actor.getValue().phase() == Phase.DONE);
        }
    }

    /** A step, with or without a call of the shared tier. */
    private record Step(State from, String label, @Nullable Call call, Function<Outcome, State> to) {}

    private final Redis redis;
    private final Fault fault;

    GuardModel(Redis redis, Fault fault) {
        this.redis = redis;
        this.fault = fault;
    }

    /**
     * Explores until every state has been reached, or an old value that stays has been found. A state that was reached before
     * with at least as many chances left is not explored again: its histories are among those of the earlier state.
     *
     * @param starts the contents of the shared tier at the beginning
     * @param idle the participants
     * @param chances how often each event may happen in one history
     */
    Finding explore(List<Stored> starts, List<Participant> idle, Map<Chance, Integer> chances) throws Exception {
        Map<Participant, Actor> actors = new HashMap<>();
        idle.forEach(participant -> actors.put(participant, Actor.IDLE));
        Map<State, @Nullable Step> reachedBy = new HashMap<>();
        Map<State, List<Map<Chance, Integer>>> reachedWith = new HashMap<>();
        Queue<State> frontier = new ArrayDeque<>();
        for (Stored start : starts) {
            State state = new State(1, 1, start, Map.copyOf(actors), Map.copyOf(chances));
            reachedBy.put(state, null);
            chancesLeftIn(reachedWith, state).add(state.chances());
            frontier.add(state);
        }
        long made = 0;
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
            made += calls.size();
            for (Step step : steps) {
                Outcome outcome =
                        step.call() == null ? new Outcome(step.from().stored(), true, null, false) : outcomes.next();
                State reached = step.to().apply(outcome);
                List<Map<Chance, Integer>> before = chancesLeftIn(reachedWith, reached);
                if (before.stream().noneMatch(reached::hasNoMoreThan)) {
                    before.add(reached.chances());
                    reachedBy.put(reached, step);
                    if (reached.isWrong()) {
                        return new Finding(reachedBy.size(), made, story(reachedBy, reached));
                    }
                    frontier.add(reached);
                }
            }
        }
        return new Finding(reachedBy.size(), made, List.of());
    }

    /** For each state without its chances, the chances that were left when it was reached. */
    private static List<Map<Chance, Integer>> chancesLeftIn(
            Map<State, List<Map<Chance, Integer>>> reachedWith, State state) {
        return reachedWith.computeIfAbsent(state.withoutChances(), any -> new ArrayList<>(1));
    }

    private List<Step> stepsFrom(State state) {
        List<Step> steps = new ArrayList<>();
        // Equal participants begin in order: it makes no difference which of two idle ones begins.
        addLoaderSteps(steps, state, Participant.READER_0);
        if (state.hasBegun(Participant.READER_0)) {
            addLoaderSteps(steps, state, Participant.READER_1);
        }
        addLoaderSteps(steps, state, Participant.REFRESHER_0);
        if (state.hasBegun(Participant.REFRESHER_0)) {
            addLoaderSteps(steps, state, Participant.REFRESHER_1);
        }
        addCallerSteps(steps, state);
        addLoginSteps(steps, state);
        addWriterSteps(steps, state, Participant.WRITER_0);
        if (state.hasBegun(Participant.WRITER_0)) {
            addWriterSteps(steps, state, Participant.WRITER_1);
        }
        addWriterSteps(steps, state, Participant.FOREIGN_SETTER);
        addWriterSteps(steps, state, Participant.FOREIGN_DELETER);
        addChances(steps, state);
        return steps;
    }

    /** The steps of a reader, which claims a missing value, or of a refresher, which claims a present one. */
    private void addLoaderSteps(List<Step> steps, State state, Participant participant) {
        boolean refreshes = participant == Participant.REFRESHER_0 || participant == Participant.REFRESHER_1;
        boolean readsFirst = fault == (refreshes ? Fault.READ_BEFORE_REFRESH : Fault.READ_BEFORE_CLAIM);
        Operation claim = refreshes ? Operation.REFRESH : Operation.CLAIM;
        Operation fill = refreshes && fault == Fault.SET_INSTEAD_OF_FILL ? Operation.SET : Operation.FILL;
        switch (state.actor(participant).phase()) {
            case IDLE -> steps.add(readsFirst ? read(state, participant) : claim(state, claim, participant));
            case CLAIMED -> {
                steps.add(readsFirst ? store(state, fill, participant) : read(state, participant));
                addRenewals(steps, state, participant);
            }
            case READ -> {
                if (readsFirst) {
                    steps.add(claim(state, claim, participant));
                } else {
                    boolean hasCaller = participant == Participant.READER_0
                            && state.actors().containsKey(Participant.CALLER);
                    steps.add(hasCaller ? sendFill(state, participant) : store(state, fill, participant));
                }
                if (!refreshes && !readsFirst) {
                    // As if the row that it has read were missing.
                    steps.add(store(state, Operation.ABSENT, participant));
                }
                addRenewals(steps, state, participant);
            }
            case SENT -> {
                steps.add(execute(state, fill, participant));
                steps.add(execute(state, Operation.ABSENT, participant));
                addLoss(steps, state, participant);
                addRenewals(steps, state, participant);
            }
            case STORED, REFUSED -> {
                steps.add(answer(state, participant));
                addLoss(steps, state, participant);
            }
            default -> {}
        }
    }

    private static Step sendFill(State state, Participant participant) {
        Actor loader = state.actor(participant);
        return atOnce(
                state, participant + " sends FILL " + loader.version(), state.with(participant, loader.in(Phase.SENT)));
    }

    private static Step execute(State state, Operation operation, Participant participant) {
        Actor loader = state.actor(participant);
        return call(
                state,
                operation,
                participant,
                (stored, outcome) ->
                        stored.with(participant, loader.in(outcome.accepted() ? Phase.STORED : Phase.REFUSED)));
    }

    private static void addLoss(List<Step> steps, State state, Participant participant) {
        addChance(steps, state, Chance.A_FILL_IS_LOST, state.with(participant, Actor.DONE));
    }

    /** The answer of a fill comes: it answers the callers that it may answer, and the others ask anew. */
    private Step answer(State state, Participant participant) {
        Actor loader = state.actor(participant);
        Actor caller = state.actor(Participant.CALLER);
        boolean isConfirmed = loader.phase() == Phase.STORED || fault == Fault.ANSWER_BY_A_REFUSED_FILL;
        boolean isInTime = caller.phase() == Phase.JOINED
                || (caller.phase() == Phase.LATE && fault == Fault.ANSWER_BY_A_FILL_UNDER_WAY);
        State answered = isConfirmed && isInTime ? answerCaller(state, loader.version()) : state;
        return atOnce(
                state, participant + " hears of FILL " + loader.version(), answered.with(participant, Actor.DONE));
    }

    private static State answerCaller(State state, int version) {
        Actor caller = state.actor(Participant.CALLER);
        return state.with(Participant.CALLER, version < caller.version() ? caller.in(Phase.OUTDATED) : Actor.DONE);
    }

    /** A caller comes after the query has begun: what was fenced by then may be what the query has missed. */
    private void addCallerSteps(List<Step> steps, State state) {
        Actor loader = state.actor(Participant.READER_0);
        boolean isSent =
                loader.phase() == Phase.SENT || loader.phase() == Phase.STORED || loader.phase() == Phase.REFUSED;
        if (state.actor(Participant.CALLER).phase() != Phase.IDLE || !(isSent || loader.phase() == Phase.READ)) {
            return;
        }
        Actor caller = Actor.IDLE.in(isSent ? Phase.LATE : Phase.JOINED).with(state.fenced());
        State joined = state.with(Participant.CALLER, caller);
        steps.add(atOnce(
                state,
                "CALLER comes after fence " + state.fenced(),
                fault == Fault.ANSWER_WITHOUT_THE_FILL ? answerCaller(joined, loader.version()) : joined));
    }

    private static void addLoginSteps(List<Step> steps, State state) {
        switch (state.actor(Participant.LOGIN).phase()) {
            case IDLE -> steps.add(read(state, Participant.LOGIN));
            case READ -> steps.add(store(state, Operation.OFFER, Participant.LOGIN));
            default -> {}
        }
    }

    private void addWriterSteps(List<Step> steps, State state, Participant participant) {
        switch (state.actor(participant).phase()) {
            case IDLE -> {
                State committed = state.withNextVersion();
                Actor writer = Actor.IDLE.in(Phase.COMMITTED).with(committed.database());
                steps.add(atOnce(
                        state, participant + " commits " + committed.database(), committed.with(participant, writer)));
            }
            case COMMITTED -> {
                Operation operation = afterCommit(participant);
                int version = state.actor(participant).version();
                steps.add(call(state, operation, participant, (told, outcome) -> {
                    State done = told.with(participant, Actor.DONE);
                    return operation == Operation.FENCE ? done.withFence(version) : done;
                }));
            }
            default -> {}
        }
    }

    private Operation afterCommit(Participant participant) {
        return switch (participant) {
            case FOREIGN_SETTER -> Operation.SET;
            case FOREIGN_DELETER -> Operation.DELETE;
            default -> fault == Fault.SET_INSTEAD_OF_FENCE ? Operation.SET : Operation.FENCE;
        };
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

    private static void addRenewals(List<Step> steps, State state, Participant participant) {
        if (state.has(Chance.A_CLAIM_IS_RENEWED)) {
            steps.add(call(
                    state,
                    Operation.RENEW,
                    participant,
                    (renewed, outcome) -> renewed.without(Chance.A_CLAIM_IS_RENEWED)));
        }
        if (state.has(Chance.A_CLAIM_IS_GIVEN_UP)) {
            steps.add(call(
                    state,
                    Operation.RELEASE,
                    participant,
                    (released, outcome) ->
                            released.with(participant, Actor.DONE).without(Chance.A_CLAIM_IS_GIVEN_UP)));
        }
    }

    private static Step claim(State state, Operation operation, Participant participant) {
        Actor granted = state.actor(participant).in(Phase.CLAIMED);
        return call(
                state,
                operation,
                participant,
                (claimed, outcome) ->
                        claimed.with(participant, outcome.accepted() ? granted.granted(outcome) : Actor.DONE));
    }

    /** The last call of an actor. */
    private static Step store(State state, Operation operation, Participant participant) {
        return call(state, operation, participant, (stored, outcome) -> stored.with(participant, Actor.DONE));
    }

    private static Step call(
            State state, Operation operation, Participant participant, BiFunction<State, Outcome, State> to) {
        Actor actor = state.actor(participant);
        Call call = new Call(
                state.stored(), operation, participant, actor.version(), actor.age(), actor.replaced(), actor.free());
        String label = participant + " " + operation + (actor.version() == 0 ? "" : " " + actor.version());
        return new Step(state, label, call, outcome -> to.apply(state.with(outcome.stored()), outcome));
    }

    private static Step read(State state, Participant participant) {
        Actor reader = state.actor(participant).in(Phase.READ).with(state.database());
        return atOnce(state, participant + " reads " + state.database(), state.with(participant, reader));
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
