package dev.usher.model.reads;

import dev.usher.model.Packer;
import dev.usher.model.reads.Server.Value;

/** The load of the user on the node, for a caller and those that join it. */
final class Load {

    static final int NO_WAITER = 5;

    Phase phase = Phase.NONE;

    /** What was read, or loaded. */
    Value value = Value.NONE;

    /** Whether it has begun after the receipt. */
    boolean isLate;

    /** Whether callers may join. */
    boolean isJoinable;

    /** The step in which a caller has joined that has come after the receipt, or none. */
    int waiterJoinedIn = NO_WAITER;

    /** Whether the session has not ended in which the read was sent. */
    boolean isOfThisSession;

    /** Whether the place in memory is reserved. */
    boolean isReserved;

    /** Whether a renewal of the claim is under way. */
    boolean isRenewing;

    /** How far it has come. The number is that of the step under way. */
    enum Phase {
        NONE(0),
        READ_SENT(1),
        READ_EXECUTED(1),
        READ_ANSWERED(1),
        CLAIM_SENT(2),
        CLAIM_GRANTED(2),
        CLAIM_FOUND_A_VALUE(2),
        CLAIM_REFUSED(2),
        LOADING(3),
        LOADED(3),
        FILL_SENT(4),
        FILL_ACCEPTED(4),
        FILL_REFUSED(4),
        ASKING_THE_SOURCE(3);

        final int step;

        Phase(int step) {
            this.step = step;
        }
    }

    Load() {}

    Load(Load other) {
        phase = other.phase;
        value = other.value;
        isLate = other.isLate;
        isJoinable = other.isJoinable;
        waiterJoinedIn = other.waiterJoinedIn;
        isOfThisSession = other.isOfThisSession;
        isReserved = other.isReserved;
        isRenewing = other.isRenewing;
    }

    boolean hasWaiter() {
        return waiterJoinedIn != NO_WAITER;
    }

    void write(Packer to) {
        to.put(phase);
        to.put(value);
        to.put(isLate);
        to.put(isJoinable);
        to.put(waiterJoinedIn, NO_WAITER + 1);
        to.put(isOfThisSession);
        to.put(isReserved);
        to.put(isRenewing);
    }
}
