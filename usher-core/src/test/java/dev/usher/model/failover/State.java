package dev.usher.model.failover;

import dev.usher.model.Packer;
import dev.usher.model.Time;
import java.util.Arrays;

/** All servers, Sentinels and nodes. A step makes a copy and changes that. */
final class State {

    static final int MAX_SERVERS = 3;
    static final int MAX_EPOCHS = 3;
    private static final int SENTINELS = 3;
    private static final int MAJORITY = 2;

    /** The last failover that has begun. */
    int epoch;

    /** The primary by failover. */
    final int[] primaries;

    final Server[] servers;
    final Sentinel[] sentinels;
    final Reader reader;
    final Announcer announcer;

    /** Whether the old primary has a replica that the Sentinels do not know. */
    boolean hasUnknownReplica;

    /** All servers hold the old value, the first one is the primary, and the reader is not connected. */
    State(int servers) {
        primaries = new int[MAX_EPOCHS];
        this.servers = new Server[servers];
        for (int i = 0; i < servers; i++) {
            this.servers[i] = new Server(0);
            this.servers[i].isLinked = true;
            this.servers[i].holdsOldValue = true;
        }
        sentinels = new Sentinel[SENTINELS];
        Arrays.setAll(sentinels, any -> new Sentinel());
        reader = new Reader();
        announcer = new Announcer();
    }

    private State(State other) {
        epoch = other.epoch;
        primaries = other.primaries.clone();
        servers = new Server[other.servers.length];
        for (int i = 0; i < servers.length; i++) {
            servers[i] = new Server(other.servers[i]);
        }
        sentinels = new Sentinel[SENTINELS];
        for (int i = 0; i < SENTINELS; i++) {
            sentinels[i] = new Sentinel(other.sentinels[i]);
        }
        reader = new Reader(other.reader);
        announcer = new Announcer(other.announcer);
        hasUnknownReplica = other.hasUnknownReplica;
    }

    State copy() {
        return new State(this);
    }

    static String name(int server) {
        return "P" + (server + 1);
    }

    /** The server that is the primary after the last failover. */
    int primary() {
        return primaries[epoch];
    }

    boolean takesWrites(int server, Setting setting) {
        return servers[server].primary == server && (!setting.has(Chance.MIN_REPLICAS) || replicasOf(server) > 0);
    }

    /** How many replicas are connected to a server. */
    int replicasOf(int server) {
        int replicas = hasUnknownReplica && server == 0 ? 1 : 0;
        for (int i = 0; i < servers.length; i++) {
            replicas += isReplica(i, server) ? 1 : 0;
        }
        return replicas;
    }

    /** Whether the Sentinels do not count a server among the replicas. */
    boolean isForgotten(int server, Setting setting) {
        return setting.has(Chance.THE_OLD_PRIMARY_IS_FORGOTTEN)
                && server == 0
                && servers[0].primary == 0
                && primary() != 0
                && informed() == sentinels.length;
    }

    boolean isReplica(int server, int of) {
        return server != of && servers[server].primary == of && servers[server].isLinked;
    }

    /** Sends replicas what their primary holds. */
    void replicate(int primary) {
        for (int i = 0; i < servers.length; i++) {
            if (isReplica(i, primary)) {
                take(i, primary);
            }
        }
    }

    /** A server takes over what another one holds, and says so to the nodes that have read it. */
    void take(int server, int from) {
        boolean isChanged = servers[server].holdsOldValue && !servers[from].holdsOldValue;
        servers[server].copy(servers[from]);
        if (isChanged) {
            push(server);
        }
    }

    /** Whatever the reader has in memory from this server has changed. */
    void push(int server) {
        if (reader.isInMemory && reader.reads.leadsTo(server)) {
            reader.isPushed = true;
        }
    }

    void fence(int server) {
        boolean isChanged = servers[server].holdsOldValue;
        servers[server].holdsOldValue = false;
        if (isChanged) {
            push(server);
        }
        replicate(server);
    }

    /** A register of another history is replaced. */
    void replaceRegister(int server, int history, Setting setting) {
        Server at = servers[server];
        if (setting.has(Rule.A_REGISTER_HAS_ONE_HISTORY) && at.register != history) {
            at.register = history;
            at.hasNumber = false;
            at.entry = Server.Entry.NONE;
        }
    }

    /** Whether a majority of all Sentinels names a server now. */
    boolean isNamed(int server) {
        int votes = 0;
        for (Sentinel sentinel : sentinels) {
            votes += primaries[sentinel.epoch] == server ? 1 : 0;
        }
        return votes >= MAJORITY;
    }

    /** Whether any Sentinel names a server. */
    boolean isNamedByAny(int server) {
        return Arrays.stream(sentinels).anyMatch(sentinel -> primaries[sentinel.epoch] == server);
    }

    /** Whether a majority may have named a server to the reader: each Sentinel has answered at some time between the question and now. */
    boolean mayHaveNamed(int server, boolean isOfAll) {
        int votes = 0;
        for (Sentinel sentinel : sentinels) {
            boolean isVote = false;
            for (int each = sentinel.epochAtTheQuestion; each <= sentinel.epoch; each++) {
                isVote |= primaries[each] == server;
            }
            votes += isVote ? 1 : 0;
        }
        return votes >= (isOfAll ? MAJORITY : 1);
    }

    /** How many Sentinels know of the last failover. */
    int informed() {
        int count = 0;
        for (Sentinel sentinel : sentinels) {
            count += sentinel.epoch == epoch ? 1 : 0;
        }
        return count;
    }

    boolean isQuorum(int sentinels) {
        return sentinels >= MAJORITY;
    }

    boolean isDisabled() {
        return announcer.step != Announcer.Step.NOT_BEGUN;
    }

    /** What can make no difference any more is made the same. */
    void tidy() {
        reader.tidy();
        if (reader.written == Time.CLOSED || Arrays.stream(servers).noneMatch(server -> server.hasMark)) {
            reader.written = Time.CLOSED;
            for (Server server : servers) {
                server.hasMark = false;
            }
        }
    }

    void write(Packer to) {
        to.put(epoch, MAX_EPOCHS);
        to.put(primaries[1], MAX_SERVERS);
        to.put(primaries[2], MAX_SERVERS);
        // Sentinels are alike.
        int[] each = new int[SENTINELS];
        for (int i = 0; i < SENTINELS; i++) {
            int atTheQuestion = reader.asked == Reader.NOT_ASKED || announcer.step == Announcer.Step.UNCONFIRMED
                    ? 0
                    : sentinels[i].epochAtTheQuestion;
            each[i] = sentinels[i].epoch * MAX_EPOCHS + atTheQuestion;
        }
        Arrays.sort(each);
        for (int one : each) {
            to.put(one, MAX_EPOCHS * MAX_EPOCHS);
        }
        for (Server server : servers) {
            server.write(to);
        }
        to.put(hasUnknownReplica);
        announcer.write(to);
        if (announcer.step != Announcer.Step.UNCONFIRMED) {
            reader.write(to); // else nothing was promised that it could break
        }
    }
}
