package dev.usher.model.failover;

import dev.usher.model.Packer;
import dev.usher.model.Time;

/** A node that bans the user. */
final class Announcer {

    /** How far the ban has come. */
    enum Step {
        NOT_BEGUN,
        FENCED,
        NUMBERED,
        ACKNOWLEDGED,
        NAMED,
        UNCONFIRMED,
        CONFIRMED
    }

    Step step = Step.NOT_BEGUN;

    /** Over which FENCE is sent. */
    Link scripts = Link.to(0);

    /** Over which REVOKE is sent, and {@code WAIT}. */
    Link revocations = Link.to(0);

    /** The history of the register that it knows, and the age of that knowledge. */
    int register;

    int known = Time.CLOSED;

    /** The history of the register in which the ban has its number, and the age of that. */
    int numberedIn;

    int numbered;

    /** Whether the fence is to be sent again. */
    boolean isPending;

    Announcer() {}

    Announcer(Announcer other) {
        step = other.step;
        scripts = other.scripts;
        revocations = other.revocations;
        register = other.register;
        known = other.known;
        numberedIn = other.numberedIn;
        numbered = other.numbered;
        isPending = other.isPending;
    }

    boolean isWaiting() {
        return step.compareTo(Step.FENCED) >= 0 && step.compareTo(Step.NAMED) <= 0;
    }

    void becomeOlder() {
        known = Time.older(known);
        numbered = step.compareTo(Step.NUMBERED) >= 0 ? Time.older(numbered) : 0;
    }

    void write(Packer to) {
        to.put(step);
        if (step == Step.CONFIRMED) {
            return; // what it does then changes nothing any more
        }
        scripts.write(to);
        to.put(isPending);
        if (step == Step.UNCONFIRMED) {
            return; // it only sends the fence again
        }
        revocations.write(to);
        to.put(register, State.MAX_EPOCHS);
        to.put(known, Time.CLOSED + 1);
        to.put(numberedIn, State.MAX_EPOCHS);
        to.put(numbered, Time.CLOSED + 1);
    }
}
