package dev.usher.model.failover;

import static dev.usher.model.failover.State.name;

import dev.usher.model.Model.Steps;
import dev.usher.model.Time;
import dev.usher.model.failover.Server.Entry;

/** What the reader does. */
final class Reading {

    private static final String READER = "the reader";

    private final Setting setting;

    Reading(Setting setting) {
        this.setting = setting;
    }

    void stepsFrom(State state, Steps<State> steps) {
        if (setting.has(Chance.CONNECTIONS_OF_THE_READER_APART)) {
            connectApart(state, steps);
        } else {
            connectTogether(state, steps);
        }
        askSentinels(state, steps);
        hearSentinels(state, steps);
        beat(state, steps);
        read(state, steps);
        hearOfChange(state, steps);
    }

    // Connections.

    private boolean leadsTo(State state, int server) {
        return setting.has(Rule.A_MAJORITY_IS_FOLLOWED) ? state.isNamed(server) : state.isNamedByAny(server);
    }

    private void connectTogether(State state, Steps<State> steps) {
        if (!state.reader.reads.isNone() || !state.reader.scripts.isNone()) {
            State next = state.copy();
            loseReads(next.reader, setting);
            loseScripts(next.reader, setting);
            steps.to(next, READER, "loses its connections");
        }
        if (state.reader.reads.isNone() && state.reader.scripts.isNone()) {
            for (int server = 0; server < state.servers.length; server++) {
                if (leadsTo(state, server)) {
                    State next = state.copy();
                    makeReads(next, server);
                    makeScripts(next, server);
                    steps.to(next, READER, "connects to", name(server));
                }
            }
        }
    }

    private void connectApart(State state, Steps<State> steps) {
        Link reads = state.reader.reads;
        Link scripts = state.reader.scripts;
        if (!reads.isNone()) {
            State next = state.copy();
            loseReads(next.reader, setting);
            steps.to(next, READER, "loses the connection for reads");
        }
        if (!scripts.isNone()) {
            State next = state.copy();
            loseScripts(next.reader, setting);
            steps.to(next, READER, "loses the connection for scripts");
        }
        for (int server = 0; server < state.servers.length; server++) {
            if (reads.isNone() && leadsTo(state, server)) {
                State next = state.copy();
                next.reader.reads = Link.begunTo(server);
                steps.to(next, READER, "begins to connect for reads to", name(server));
            }
            if (scripts.isNone() && leadsTo(state, server)) {
                State next = state.copy();
                next.reader.scripts = Link.begunTo(server);
                steps.to(next, READER, "begins to connect for scripts to", name(server));
            }
        }
        if (!reads.isNone() && !reads.isMade()) {
            State next = state.copy();
            makeReads(next, reads.server());
            steps.to(next, READER, "is connected for reads to", name(reads.server()));
        }
        if (!scripts.isNone() && !scripts.isMade()) {
            State next = state.copy();
            makeScripts(next, scripts.server());
            steps.to(next, READER, "is connected for scripts to", name(scripts.server()));
        }
    }

    private void makeReads(State next, int server) {
        loseReads(next.reader, setting);
        next.reader.reads = Link.to(server);
    }

    private void makeScripts(State next, int server) {
        loseScripts(next.reader, setting);
        next.reader.scripts = Link.to(server);
    }

    private static void loseReads(Reader reader, Setting setting) {
        reader.reads = Link.NONE;
        reader.isTracked = false;
        reader.forget();
        reader.watermark = Time.CLOSED;
        reader.written = Time.CLOSED;
        reader.hasTakenNames = false;
        loseProof(reader, setting);
    }

    private static void loseScripts(Reader reader, Setting setting) {
        reader.scripts = Link.NONE;
        loseProof(reader, setting);
    }

    private static void loseProof(Reader reader, Setting setting) {
        reader.isProven = false;
        reader.isWrittenOverThese = false;
        if (setting.has(Rule.A_MAJORITY_ENDS_WITH_THE_CONNECTION)) {
            reader.named = Time.CLOSED;
        }
    }

    static void loseConnectionsTo(State next, int server, Setting setting) {
        if (next.reader.reads.leadsTo(server)) {
            loseReads(next.reader, setting);
        }
        if (next.reader.scripts.leadsTo(server)) {
            loseScripts(next.reader, setting);
        }
    }

    // The Sentinels.

    private void askSentinels(State state, Steps<State> steps) {
        if (state.reader.asked == Reader.NOT_ASKED && setting.has(Rule.THE_WATERMARK_NEEDS_A_MAJORITY)) {
            State next = state.copy();
            next.reader.asked = 0;
            for (Sentinel sentinel : next.sentinels) {
                sentinel.epochAtTheQuestion = sentinel.epoch;
            }
            steps.to(next, READER, "asks the Sentinels");
        }
    }

    private void hearSentinels(State state, Steps<State> steps) {
        if (state.reader.asked == Reader.NOT_ASKED) {
            return;
        }
        State unanswered = state.copy();
        unanswered.reader.asked = Reader.NOT_ASKED;
        steps.to(unanswered, READER, "hears of no majority");
        for (int server = 0; server < state.servers.length; server++) {
            if (state.mayHaveNamed(server, setting.has(Rule.A_MAJORITY_IS_OF_ALL_SENTINELS))) {
                State next = state.copy();
                named(next.reader, server);
                steps.to(next, READER, "hears that a majority names", name(server));
            }
        }
    }

    private void named(Reader reader, int server) {
        int asked = reader.asked;
        reader.asked = Reader.NOT_ASKED;
        if (setting.has(Rule.ALL_CONNECTIONS_LEAD_TO_THE_NAMED)) {
            boolean isElsewhere = reader.reads.leadsElsewhere(server) || reader.scripts.leadsElsewhere(server);
            if (reader.reads.leadsElsewhere(server)) {
                loseReads(reader, setting);
            }
            if (reader.scripts.leadsElsewhere(server)) {
                loseScripts(reader, setting);
            }
            if (isElsewhere) {
                return;
            }
        }
        int age = setting.has(Rule.A_MAJORITY_IS_AS_OLD_AS_ITS_QUESTION) ? asked : 0;
        reader.named = Math.min(reader.named, age);
    }

    // The heartbeat.

    /** Where connections are not lost one by one, a write and its look are one step: no other step between them changes what they prove. */
    private void beat(State state, Steps<State> steps) {
        if (isBeat()) {
            write(state, (written, words) -> look(written, steps));
        } else {
            write(state, steps);
        }
        look(state, steps);
    }

    private boolean isBeat() {
        return !setting.has(Chance.CONNECTIONS_OF_THE_READER_APART) && setting.has(Rule.A_HEARTBEAT_IS_A_WRITE);
    }

    private void write(State state, Steps<State> steps) {
        Link scripts = state.reader.scripts;
        if (!scripts.isMade() || !state.takesWrites(scripts.server(), setting)) {
            return;
        }
        State next = state.copy();
        Reader reader = next.reader;
        Server server = next.servers[scripts.server()];
        next.replaceRegister(scripts.server(), server.history, setting);
        if (reader.register != server.register) {
            reader.register = server.register;
            reader.hasSeenTheNumber = false;
        }
        server.entry = reader.hasSeenTheNumber ? Entry.WITH_THE_NUMBER : Entry.WITHOUT_THE_NUMBER;
        reader.hasTakenNames = true;
        reader.written = 0;
        reader.isWrittenOverThese = true;
        for (Server each : next.servers) {
            each.hasMark = false;
        }
        server.hasMark = true;
        next.replicate(scripts.server());
        steps.to(next, READER, "writes its entry on", name(scripts.server()));
    }

    private void look(State state, Steps<State> steps) {
        Link reads = state.reader.reads;
        if (!reads.isMade()) {
            return;
        }
        State next = state.copy();
        Reader reader = next.reader;
        Server server = next.servers[reads.server()];
        if (reader.isPushed) {
            reader.forget(); // the push comes before what is read
        }
        boolean isKnown = server.register == reader.register && reader.hasTakenNames;
        reader.hasSeenTheNumber |= isKnown && server.hasNumber;
        boolean isHeartbeat = isHeartbeat(reader, server, isKnown && state.takesWrites(reads.server(), setting));
        int proven = provenBy(reader, server, isKnown, isHeartbeat);
        if (proven < Time.CLOSED) {
            reader.watermark = Math.min(reader.watermark, proven);
            reader.isProven = true;
            reader.isTracked = true;
        }
        steps.to(next, READER, "looks at its entry on", name(reads.server()));
    }

    /** Whether a look counts by itself, without a new entry: it writes, too, and finds the entry of these connections. */
    private static boolean isHeartbeat(Reader reader, Server server, boolean isTaken) {
        return isTaken && server.hasMark && reader.isWrittenOverThese;
    }

    /** The age of what a look proves. */
    private int provenBy(Reader reader, Server server, boolean isKnown, boolean isHeartbeat) {
        int age;
        if (!setting.has(Rule.A_HEARTBEAT_IS_A_WRITE)) {
            age = 0;
        } else if (!setting.has(Rule.THE_WRITE_IS_READ_BACK)) {
            age = reader.written;
        } else if (isHeartbeat) {
            age = 0;
        } else {
            age = isKnown && server.hasMark ? reader.written : Time.CLOSED;
        }
        return setting.has(Rule.THE_WATERMARK_NEEDS_A_MAJORITY) ? Math.max(age, reader.named) : age;
    }

    // The user.

    private void read(State state, Steps<State> steps) {
        Reader reader = state.reader;
        if (!reader.isInMemory
                && reader.isTracked
                && reader.believesRedis(setting)
                && state.servers[reader.reads.server()].holdsOldValue) {
            State next = state.copy();
            next.reader.isInMemory = true;
            steps.to(next, READER, "reads 'enabled' on", name(reader.reads.server()));
        }
    }

    private static void hearOfChange(State state, Steps<State> steps) {
        if (state.reader.isPushed) {
            State next = state.copy();
            next.reader.forget();
            steps.to(next, READER, "hears that the value has changed");
        }
    }
}
