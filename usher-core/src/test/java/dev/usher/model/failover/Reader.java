package dev.usher.model.failover;

import dev.usher.model.Packer;
import dev.usher.model.Time;

/** A node that reads. Ages are those of {@link Time}. */
final class Reader {

    static final int NO_REGISTER = State.MAX_EPOCHS;
    static final int NOT_ASKED = Time.CLOSED + 1;

    /** The tracked connection. */
    Link reads = Link.NONE;

    Link scripts = Link.NONE;

    /** Whether the tracked connection has a session. */
    boolean isTracked;

    /** Whether memory holds that the user is enabled. */
    boolean isInMemory;

    /** Whether the push is under way that says that it has changed. */
    boolean isPushed;

    /** Of what was last read back, not newer than the last majority. */
    int watermark = Time.CLOSED;

    /** Whether neither connection was lost since. */
    boolean isProven;

    /** The age of the last accepted write. */
    int written = Time.CLOSED;

    /** Whether neither connection was lost since. */
    boolean isWrittenOverThese;

    /** The age of the question after which a majority has last named the server of this node. */
    int named = Time.CLOSED;

    /** The age of the question to the Sentinels that is under way. */
    int asked = NOT_ASKED;

    /** The history of the register that this node knows. */
    int register = NO_REGISTER;

    /** Whether it has taken the names from there, in this session. */
    boolean hasTakenNames;

    /** Whether it has forgotten the user. */
    boolean hasSeenTheNumber;

    Reader() {}

    Reader(Reader other) {
        reads = other.reads;
        scripts = other.scripts;
        isTracked = other.isTracked;
        isInMemory = other.isInMemory;
        isPushed = other.isPushed;
        watermark = other.watermark;
        isProven = other.isProven;
        written = other.written;
        isWrittenOverThese = other.isWrittenOverThese;
        named = other.named;
        asked = other.asked;
        register = other.register;
        hasTakenNames = other.hasTakenNames;
        hasSeenTheNumber = other.hasSeenTheNumber;
    }

    void forget() {
        isInMemory = false;
        isPushed = false;
    }

    void becomeOlder() {
        watermark = Time.older(watermark);
        written = Time.older(written);
        named = Time.older(named);
        asked = asked == NOT_ASKED ? NOT_ASKED : Time.older(asked);
    }

    /** Whether memory answers that the user is enabled. */
    boolean answersFromMemory() {
        return isInMemory && isTracked && watermark <= Time.BOUND;
    }

    boolean believesRedis(Setting setting) {
        boolean isProofOfNow = isProven && watermark <= Time.BOUND;
        return reads.isMade() && (isProofOfNow || !setting.has(Rule.THE_UNPROVEN_ASKS_THE_SOURCE));
    }

    /** What can make no difference any more is made the same. */
    void tidy() {
        boolean isUsed = isProven || isInMemory;
        watermark = isUsed ? watermark : Time.CLOSED;
        isProven &= watermark <= Time.BOUND;
        // A question that is older than the last majority has nothing new to say.
        asked = asked != NOT_ASKED && asked >= Math.min(named, Time.CLOSED) ? NOT_ASKED : asked;
    }

    void write(Packer to) {
        reads.write(to);
        scripts.write(to);
        to.put(isTracked);
        to.put(isInMemory);
        to.put(isPushed);
        to.put(watermark, Time.CLOSED + 1);
        to.put(isProven);
        to.put(written, Time.CLOSED + 1);
        to.put(isWrittenOverThese);
        to.put(named, Time.CLOSED + 1);
        to.put(asked, NOT_ASKED + 1);
        to.put(register, NO_REGISTER + 1);
        to.put(hasTakenNames);
        to.put(hasSeenTheNumber);
    }
}
