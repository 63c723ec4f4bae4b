package dev.usher.model.register;

import dev.usher.model.Packer;
import dev.usher.model.Time;

/** A node that reads and lets the user in. Its numbers are those of {@code NodeRegister}; ages are those of {@link Time}. */
final class Node {

    boolean isConnected;

    /** Whether its tracked connection has a session. */
    boolean isTracked;

    /** Whether memory holds that the user is enabled. */
    boolean isInMemory;

    /** Whether Redis will tell of a change of what was read. */
    boolean isValueTracked;

    /** Whether something is open for the user, such as a WebSocket. */
    boolean isOpen;

    /** The age of the last write that was read back. */
    int watermark = Time.CLOSED;

    /** What is under way to it over the tracked connection, in this order: what came before the look, the look, what came after it. */
    Push changed = Push.NONE;

    Push flushed = Push.NONE;
    boolean isLooking;
    int looked;
    int lookRegister;
    int lookNumber;
    boolean lookHasMark;

    /** The last write that Redis has executed: its age, whether it is answered and accepted, and the number that there was. */
    int written = Time.CLOSED;

    boolean isAccepted;
    int acceptedNumber;

    /** Of the answer that is under way: what the write was for, and what it says. */
    boolean isWriting;

    int writtenFor;
    int writtenFrom;
    int answerRegister;
    int answerNumber;
    int answerNames;
    boolean isNewEntry;
    boolean isMissing;

    /** The register that it knows, or none. */
    int register;

    int seen = Register.NONE;
    int processing = Register.NONE;
    boolean isTakenOver;
    int visible = Register.NONE;
    int highest = Register.NONE;
    int taken = Register.NONE;

    /** Whether the user's name waits until its number is visible. */
    boolean isNamePending;

    /** Whether what is open is being ended, up to {@link #processing}. */
    boolean isEnding;

    int quarantine;
    int distrust;

    /** A push over the tracked connection. */
    enum Push {
        NONE,
        BEFORE_THE_LOOK,
        AFTER_THE_LOOK
    }

    Node() {}

    Node(Node other) {
        isConnected = other.isConnected;
        isTracked = other.isTracked;
        isInMemory = other.isInMemory;
        isValueTracked = other.isValueTracked;
        isOpen = other.isOpen;
        watermark = other.watermark;
        changed = other.changed;
        flushed = other.flushed;
        isLooking = other.isLooking;
        looked = other.looked;
        lookRegister = other.lookRegister;
        lookNumber = other.lookNumber;
        lookHasMark = other.lookHasMark;
        written = other.written;
        isAccepted = other.isAccepted;
        acceptedNumber = other.acceptedNumber;
        isWriting = other.isWriting;
        writtenFor = other.writtenFor;
        writtenFrom = other.writtenFrom;
        answerRegister = other.answerRegister;
        answerNumber = other.answerNumber;
        answerNames = other.answerNames;
        isNewEntry = other.isNewEntry;
        isMissing = other.isMissing;
        register = other.register;
        seen = other.seen;
        processing = other.processing;
        isTakenOver = other.isTakenOver;
        visible = other.visible;
        highest = other.highest;
        taken = other.taken;
        isNamePending = other.isNamePending;
        isEnding = other.isEnding;
        quarantine = other.quarantine;
        distrust = other.distrust;
    }

    void forget() {
        isInMemory = false;
        changed = Push.NONE;
    }

    /** Whether what is read now may still be on its way behind a push. */
    boolean mayHearTheLook() {
        return isLooking && changed != Push.BEFORE_THE_LOOK && flushed != Push.BEFORE_THE_LOOK;
    }

    Push pushedNow() {
        return isLooking ? Push.AFTER_THE_LOOK : Push.BEFORE_THE_LOOK;
    }

    void becomeOlder() {
        watermark = Time.older(watermark);
        written = Time.older(written);
        looked = isLooking ? Time.older(looked) : 0;
        quarantine = Time.less(quarantine);
        distrust = Time.less(distrust);
    }

    boolean isAnswering() {
        return isTracked && watermark <= Time.BOUND;
    }

    boolean believesRedis() {
        return isConnected && watermark <= Time.BOUND && quarantine == 0 && distrust == 0;
    }

    void write(Packer to) {
        to.put(isConnected);
        to.put(isTracked);
        to.put(isInMemory);
        to.put(isValueTracked);
        to.put(isOpen);
        to.put(watermark, Time.CLOSED + 1);
        to.put(changed);
        to.put(flushed);
        to.put(isLooking);
        if (isLooking) {
            to.put(looked, Time.CLOSED + 1);
            to.put(lookRegister, Register.MAX_REGISTERS);
            Register.putNumber(lookNumber, to);
            to.put(lookHasMark);
        }
        to.put(written, Time.CLOSED + 1);
        to.put(isAccepted);
        if (isAccepted) {
            Register.putNumber(acceptedNumber, to);
        }
        to.put(isWriting);
        if (isWriting) {
            to.put(writtenFor, Register.MAX_REGISTERS);
            Register.putNumber(writtenFrom, to);
            to.put(answerRegister, Register.MAX_REGISTERS);
            Register.putNumber(answerNumber, to);
            to.put(answerNames, Register.RING + 1);
            to.put(isNewEntry);
            to.put(isMissing);
        }
        to.put(register, Register.MAX_REGISTERS);
        Register.putNumber(seen, to);
        Register.putNumber(processing, to);
        to.put(isTakenOver);
        Register.putNumber(visible, to);
        Register.putNumber(highest, to);
        Register.putNumber(taken, to);
        to.put(isNamePending);
        to.put(isEnding);
        to.put(quarantine, Time.QUARANTINE + 1);
        to.put(distrust, Time.QUARANTINE + 1);
    }
}
