package dev.usher.model.register;

import dev.usher.model.Model.Steps;
import dev.usher.model.Time;
import dev.usher.model.register.Node.Push;

/** How the node writes its entry, reads it back, and processes numbers, as {@code NodeRegister} and {@code TrackedConnection} do. */
final class Heartbeats {

    /** For how long heartbeats count that write no entry, after the last one that has. */
    static final int COUNTED_WITHOUT_ENTRY = 1;

    private static final String NODE = "the node";

    private final Setting setting;

    Heartbeats(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        connect(state, steps);
        if (state.node.isConnected) {
            write(state, steps);
            hearOfTheWrite(state, steps);
            look(state, steps);
            hearTheLook(state, steps);
            hearOfFlush(state, steps);
        }
        end(state, steps);
    }

    private static void connect(State state, Steps<State> steps) {
        State next = state.copy();
        if (state.node.isConnected) {
            loseConnection(next.node);
            steps.to(next, NODE, "loses its connections");
        } else {
            next.node.isConnected = true;
            steps.to(next, NODE, "connects");
        }
    }

    static void loseConnection(Node node) {
        node.isConnected = false;
        node.isTracked = false;
        node.isValueTracked = false;
        node.forget();
        node.flushed = Push.NONE;
        node.watermark = Time.CLOSED;
        node.isLooking = false;
        node.isWriting = false;
        beUntold(node);
    }

    /** What was written is to be read back anew, and all names are to be taken. */
    private static void beUntold(Node node) {
        node.visible = Register.NONE;
        node.taken = Register.NONE;
        node.isAccepted = false;
    }

    // The write.

    private static void write(State state, Steps<State> steps) {
        if (state.node.isWriting) {
            return;
        }
        State next = state.copy();
        Register register = next.register;
        Node node = next.node;
        register.beginIfNone();
        boolean isKnown = register.name == node.register;
        node.isWriting = true;
        node.writtenFor = node.register;
        node.writtenFrom = node.taken;
        node.isNewEntry = register.entry == Register.NO_ENTRY;
        register.entry = isKnown ? node.seen : Register.NONE;
        register.hasMark = true;
        node.lookHasMark = false;
        node.written = 0;
        node.isAccepted = false;
        next.other.hasEntryChanged = true;
        node.answerRegister = register.name;
        node.answerNumber = register.number;
        node.answerNames = 0;
        node.isMissing = false;
        if (node.isNewEntry || !isKnown || node.taken < 0) {
            node.answerNames = register.names;
            node.isMissing = register.names == Register.RING;
        } else if (node.taken < register.number) {
            node.isMissing = register.number - node.taken > register.names;
            node.answerNames = node.isMissing ? 0 : register.number - node.taken;
        }
        steps.to(next, NODE, "writes its entry");
    }

    private void hearOfTheWrite(State state, Steps<State> steps) {
        if (!state.node.isWriting) {
            return;
        }
        State next = state.copy();
        Node node = next.node;
        node.isWriting = false;
        boolean isOfAnother =
                node.register != 0 && node.register != node.answerRegister && node.register != node.writtenFor;
        if (!isOfAnother || !setting.has(Rule.ANSWERS_OF_ANOTHER_REGISTER_ARE_DROPPED)) {
            enter(next);
        }
        steps.to(next, NODE, "hears of its write");
    }

    private void enter(State next) {
        Node node = next.node;
        boolean isMissing = node.isMissing && setting.has(Rule.MISSED_NAMES_ARE_EVERYONE);
        if (node.register != node.answerRegister || isMissing) {
            begin(node, node.answerRegister, node.answerNumber, node.register != 0 || isMissing);
        }
        boolean isAll = node.isNewEntry || node.writtenFrom < 0 || node.writtenFor != node.answerRegister;
        if (isAll || isMissing || node.writtenFrom <= node.taken) {
            for (int each = node.answerNumber - node.answerNames + 1; each <= node.answerNumber; each++) {
                takeName(next, each);
            }
            node.taken = Math.max(node.taken, node.answerNumber);
        }
        node.isAccepted = true;
        node.acceptedNumber = node.answerNumber;
        advance(node, next.announcer);
    }

    private static void takeName(State next, int number) {
        Node node = next.node;
        if (next.announcer.hasName(node.answerRegister, number)) {
            node.quarantine = Time.QUARANTINE;
            node.isNamePending |= number > Math.max(node.processing, node.taken);
        }
    }

    private void begin(Node node, int register, int number, boolean isReplaced) {
        node.register = register;
        node.seen = Register.NONE;
        node.processing = number;
        node.isTakenOver = false;
        node.highest = Register.NONE;
        node.visible = Register.NONE;
        node.taken = Register.NONE;
        node.isNamePending = false;
        node.isAccepted = false;
        if (isReplaced && setting.has(Rule.A_NEW_REGISTER_IS_DISTRUSTED)) {
            node.distrust = Time.QUARANTINE;
        }
        if (isReplaced && setting.has(Rule.A_NEW_REGISTER_IS_EVERYONE)) {
            node.isOpen = false;
            node.isEnding = false;
            node.forget();
        }
    }

    // The look.

    private static void look(State state, Steps<State> steps) {
        if (state.node.isLooking) {
            return;
        }
        State next = state.copy();
        next.node.isLooking = true;
        next.node.looked = 0;
        next.node.lookRegister = next.register.name;
        next.node.lookNumber = next.register.number;
        next.node.lookHasMark = next.register.hasMark;
        steps.to(next, NODE, "looks at the register");
    }

    private void hearTheLook(State state, Steps<State> steps) {
        if (!state.node.mayHearTheLook()) {
            return;
        }
        State next = state.copy();
        Node node = next.node;
        node.isLooking = false;
        node.changed = node.changed == Push.NONE ? Push.NONE : Push.BEFORE_THE_LOOK;
        node.flushed = node.flushed == Push.NONE ? Push.NONE : Push.BEFORE_THE_LOOK;
        boolean isEntered = isEntered(next);
        if (isEntered || !setting.has(Rule.A_HEARTBEAT_FINDS_THE_ENTRY)) {
            int age = setting.has(Rule.A_HEARTBEAT_FINDS_THE_ENTRY) ? proven(node) : 0;
            node.watermark = Math.min(node.watermark, age);
            node.isTracked = true;
        }
        steps.to(next, NODE, "hears what it has looked at");
    }

    /** The age of what a look proves that has found the entry: its own, or that of the entry. */
    private int proven(Node node) {
        boolean isNewNumber = node.lookNumber != node.acceptedNumber && setting.has(Rule.A_NEW_NUMBER_NEEDS_AN_ENTRY);
        boolean isLongAgo = node.written > COUNTED_WITHOUT_ENTRY && setting.has(Rule.AN_ENTRY_IS_WRITTEN_NOW_AND_THEN);
        return isNewNumber || isLongAgo ? node.written : node.looked;
    }

    /** Whether the look has found, in the register that the node knows, what it has written. */
    private boolean isEntered(State next) {
        Node node = next.node;
        if (node.register == 0 || node.lookRegister != node.register) {
            return false;
        }
        if (node.lookNumber < node.highest && setting.has(Rule.A_LOWER_NUMBER_IS_A_NEW_REGISTER)) {
            begin(node, node.register, node.lookNumber, true);
            return false;
        }
        node.highest = node.lookNumber;
        node.visible = node.lookNumber;
        advance(node, next.announcer);
        return node.lookHasMark && node.isAccepted && node.taken >= 0;
    }

    /** Processes what is both visible and named. */
    private void advance(Node node, Announcer announcer) {
        if (node.distrust > 0) {
            return;
        }
        int to = setting.has(Rule.A_NUMBER_IS_SEEN_IN_ORDER) ? Math.min(node.visible, node.taken) : node.taken;
        if (to < 0 || to < node.processing || (to == node.processing && node.isTakenOver)) {
            return;
        }
        node.isTakenOver = true;
        node.processing = to;
        boolean hasName = node.isNamePending && announcer.number <= to;
        if (hasName) {
            node.isNamePending = false;
            node.isEnding = true;
        }
        if (!node.isEnding || !setting.has(Rule.THE_NUMBER_COMES_AFTER_THE_END)) {
            node.seen = to;
        }
    }

    private static void end(State state, Steps<State> steps) {
        if (state.node.isEnding) {
            State next = state.copy();
            Node node = next.node;
            node.isEnding = false;
            node.isOpen = false;
            node.forget();
            node.seen = Math.max(node.seen, node.processing);
            steps.to(next, NODE, "has forgotten the user, and ended what was open");
        }
    }

    private void hearOfFlush(State state, Steps<State> steps) {
        Push flushed = state.node.flushed;
        if (flushed == Push.NONE || (flushed == Push.AFTER_THE_LOOK && state.node.isLooking)) {
            return;
        }
        State next = state.copy();
        next.node.flushed = Push.NONE;
        if (setting.has(Rule.A_FLUSH_ENDS_THE_SESSION)) {
            next.node.forget();
            beUntold(next.node);
        }
        steps.to(next, NODE, "hears of the flush");
    }
}
