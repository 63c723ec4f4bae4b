package dev.usher.model.reads;

import static dev.usher.model.reads.State.name;

import dev.usher.model.Model.Steps;
import dev.usher.model.reads.Load.Phase;
import dev.usher.model.reads.Node.Push;
import dev.usher.model.reads.Server.Guard;
import dev.usher.model.reads.Server.Value;

/** The steps of a load: what the node sends, what Redis executes, and what the node does with the answer. */
final class Loading {

    private static final String NODE = "the node";

    private final Setting setting;

    Loading(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        joinLate(state, steps);
        renew(state, steps);
        State next = state.copy();
        switch (state.load.phase) {
            case NONE -> begin(next, steps);
            case READ_SENT -> executeRead(next, steps);
            case READ_EXECUTED -> answerRead(next, steps);
            case READ_ANSWERED -> useRead(next, steps);
            case CLAIM_SENT -> executeClaim(next, steps);
            case CLAIM_GRANTED -> {
                next.load.phase = Phase.LOADING;
                steps.to(next, NODE, "hears that its claim is granted");
            }
            case CLAIM_FOUND_A_VALUE -> useFoundValue(next, steps);
            case CLAIM_REFUSED -> {
                next.load.phase = Phase.ASKING_THE_SOURCE;
                steps.to(next, NODE, "hears that another load holds the claim");
            }
            case LOADING -> {
                next.load.value = next.row();
                next.load.phase = Phase.LOADED;
                answer(next, Phase.LOADING.step);
                steps.to(next, NODE, "has loaded", next.row());
            }
            case LOADED -> {
                next.load.phase = next.node.isConnected() ? Phase.FILL_SENT : Phase.FILL_REFUSED;
                steps.to(next, NODE, "sends FILL");
            }
            case FILL_SENT -> executeFill(next, steps);
            case FILL_ACCEPTED -> useFill(next, steps);
            case FILL_REFUSED -> {
                end(next);
                steps.to(next, NODE, "ends its load, which is not stored");
            }
            case ASKING_THE_SOURCE -> {
                next.load.value = next.row();
                answer(next, Phase.ASKING_THE_SOURCE.step);
                end(next);
                steps.to(next, NODE, "answers with what the source says");
            }
        }
    }

    private void begin(State next, Steps<State> steps) {
        Load load = next.load;
        load.isLate = next.isConfirmed();
        load.isJoinable = true;
        if (next.believesRedis(setting)) {
            load.phase = Phase.READ_SENT;
            load.isOfThisSession = next.node.isTracked;
            load.isReserved = true;
            next.node.isInMemory = false;
            steps.to(next, NODE, "sends GET");
        } else {
            load.phase = Phase.ASKING_THE_SOURCE;
            steps.to(next, NODE, "asks the source");
        }
    }

    private static void end(State next) {
        Load over = next.load;
        over.phase = Phase.NONE;
        over.value = Value.NONE;
        over.isLate = false;
        over.isJoinable = false;
        over.waiterJoinedIn = Load.NO_WAITER; // it asks anew
        over.isOfThisSession = false;
        over.isReserved = false;
        over.isRenewing = false;
        for (Server server : next.servers) {
            server.guard = server.guard == Guard.CLAIM ? Guard.CLAIM_OF_ANOTHER_LOAD : server.guard;
        }
    }

    /** A caller that comes after the receipt joins the load, if it may. */
    private static void joinLate(State state, Steps<State> steps) {
        Load load = state.load;
        if (state.isConfirmed() && load.phase != Phase.NONE && load.isJoinable && !load.hasWaiter()) {
            State next = state.copy();
            next.load.waiterJoinedIn = load.phase.step;
            steps.to(next, "a caller joins the load after the receipt");
        }
    }

    /** Answers the caller that has begun the load, and those that have joined it before a step. */
    private void answer(State next, int step) {
        Load load = next.load;
        boolean isAnswered =
                load.hasWaiter() && (load.waiterJoinedIn < step || !setting.has(Rule.A_WAITER_NEEDS_A_LATER_STEP));
        if (load.value == Value.ENABLED && (load.isLate || isAnswered)) {
            next.isMisled = true;
        }
        if (isAnswered) {
            load.waiterJoinedIn = Load.NO_WAITER;
        }
    }

    // The read.

    private static void executeRead(State next, Steps<State> steps) {
        int server = next.node.server;
        next.load.value = next.servers[server].value;
        next.load.phase = Phase.READ_EXECUTED;
        next.node.isValueTracked = true;
        next.node.push = next.node.push == Push.NONE ? Push.NONE : Push.BEFORE_THE_READ;
        steps.to(next, "GET is executed on", name(server), "and finds", next.load.value);
    }

    private static void answerRead(State next, Steps<State> steps) {
        if (next.node.push != Push.BEFORE_THE_READ) {
            next.load.phase = Phase.READ_ANSWERED;
            steps.to(next, "the answer of GET comes");
        }
    }

    private void useRead(State next, Steps<State> steps) {
        Load load = next.load;
        boolean isBelieved = next.believesRedis(setting);
        if (load.value == Value.NONE) {
            load.phase = next.node.isConnected() ? Phase.CLAIM_SENT : Phase.ASKING_THE_SOURCE;
            steps.to(next, NODE, "has found nothing");
            return;
        }
        boolean isCurrent = load.isOfThisSession || !setting.has(Rule.MEMORY_IS_OF_THE_SESSION_OF_THE_READ);
        boolean mayCache = load.isReserved || !setting.has(Rule.A_PLACE_IS_RESERVED_BEFORE_THE_READ);
        boolean isCached = isCurrent && mayCache && next.node.isTracked;
        if (isCached && (isBelieved || !setting.has(Rule.THE_UNBELIEVED_IS_NOT_CACHED))) {
            next.node.isInMemory = load.value == Value.ENABLED;
        }
        if (isBelieved || !setting.has(Rule.A_READ_IS_BELIEVED_WHEN_IT_COMES)) {
            answer(next, Phase.READ_ANSWERED.step);
            end(next);
            steps.to(next, NODE, "answers with what it has read");
        } else {
            load.phase = Phase.ASKING_THE_SOURCE;
            steps.to(next, NODE, "does not believe what it has read");
        }
    }

    // The claim.

    private void executeClaim(State next, Steps<State> steps) {
        int server = next.node.server;
        Server at = next.servers[server];
        if (!next.takesWrites(server)) {
            return;
        }
        if (at.value != Value.NONE) {
            next.load.value = at.value;
            next.load.phase = Phase.CLAIM_FOUND_A_VALUE;
        } else if (at.guard == Guard.CLAIM_OF_ANOTHER_LOAD || at.guard == Guard.CLAIM_OF_ANOTHER_NODE) {
            next.load.phase = Phase.CLAIM_REFUSED;
        } else {
            next.load.phase = Phase.CLAIM_GRANTED;
            next.set(server, Value.NONE, Guard.CLAIM);
        }
        steps.to(next, "CLAIM is executed on", name(server));
    }

    private void useFoundValue(State next, Steps<State> steps) {
        if (next.believesRedis(setting) || !setting.has(Rule.A_CLAIM_IS_BELIEVED_WHEN_IT_COMES)) {
            answer(next, Phase.CLAIM_FOUND_A_VALUE.step);
            end(next);
            steps.to(next, NODE, "answers with what its claim has found");
        } else {
            next.load.phase = Phase.ASKING_THE_SOURCE;
            steps.to(next, NODE, "does not believe what its claim has found");
        }
    }

    private void renew(State state, Steps<State> steps) {
        Load load = state.load;
        if (load.phase == Phase.LOADING && !load.isRenewing && state.node.isConnected()) {
            State next = state.copy();
            next.load.isRenewing = true;
            steps.to(next, NODE, "sends RENEW");
        }
        if (load.isRenewing && state.takesWrites(state.node.server)) {
            State next = state.copy();
            int server = state.node.server;
            next.load.isRenewing = false;
            if (!setting.has(Rule.A_RENEWAL_NEEDS_THE_CLAIM)) {
                next.set(server, next.servers[server].value, Guard.CLAIM);
            }
            steps.to(next, "RENEW is executed on", name(server));
        }
    }

    // The fill.

    private void executeFill(State next, Steps<State> steps) {
        int server = next.node.server;
        Server at = next.servers[server];
        if (!next.takesWrites(server)) {
            return;
        }
        boolean isClaimed = at.guard == Guard.CLAIM || !setting.has(Rule.A_FILL_NEEDS_THE_CLAIM);
        boolean isAccepted = isClaimed && at.value == Value.NONE;
        if (isAccepted) {
            next.set(server, next.load.value, Guard.FENCE);
        }
        next.load.phase = isAccepted ? Phase.FILL_ACCEPTED : Phase.FILL_REFUSED;
        steps.to(next, "FILL is", isAccepted ? "accepted on" : "refused on", name(server));
    }

    private void useFill(State next, Steps<State> steps) {
        next.node.isInMemory = false;
        if (next.believesRedis(setting) || !setting.has(Rule.A_FILL_IS_BELIEVED_WHEN_IT_COMES)) {
            answer(next, Phase.FILL_ACCEPTED.step);
        }
        end(next);
        steps.to(next, NODE, "hears that its fill is accepted");
    }
}
