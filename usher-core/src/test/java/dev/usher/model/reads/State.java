package dev.usher.model.reads;

import dev.usher.model.Packer;
import dev.usher.model.Time;
import dev.usher.model.reads.Node.Push;
import dev.usher.model.reads.Server.Guard;
import dev.usher.model.reads.Server.Value;

/** The servers, the ban and the node. A step makes a copy and changes that. */
final class State {

    final Server[] servers;
    final Node node;
    final Load load;

    Failover failover = Failover.NONE;
    Ban ban = Ban.NOT_BEGUN;

    /** The server on which the user is banned. */
    int bannedOn;

    /** The age of the number. */
    int numbered;

    /** Whether a caller that came after the receipt was told that the user is enabled. */
    boolean isMisled;

    /** How far the replacement of the first server has come. */
    enum Failover {
        NONE,
        CUT_OFF,
        PROMOTED,
        NAMED
    }

    /** How far the ban has come. */
    enum Ban {
        NOT_BEGUN,
        COMMITTED,
        FENCED,
        NUMBERED,
        UNCONFIRMED,
        CONFIRMED
    }

    State() {
        servers = new Server[] {new Server(), new Server()};
        node = new Node();
        load = new Load();
    }

    private State(State other) {
        servers = new Server[] {new Server(other.servers[0]), new Server(other.servers[1])};
        node = new Node(other.node);
        load = new Load(other.load);
        failover = other.failover;
        ban = other.ban;
        bannedOn = other.bannedOn;
        numbered = other.numbered;
        isMisled = other.isMisled;
    }

    State copy() {
        return new State(this);
    }

    static String name(int server) {
        return "P" + (server + 1);
    }

    /** The server that a majority of the Sentinels names. */
    int primary() {
        return failover == Failover.NAMED ? 1 : 0;
    }

    boolean takesWrites(int server) {
        return server == 0 || failover.compareTo(Failover.PROMOTED) >= 0;
    }

    boolean isReplicated() {
        return failover == Failover.NONE;
    }

    boolean isConfirmed() {
        return ban == Ban.CONFIRMED;
    }

    Value row() {
        return ban == Ban.NOT_BEGUN ? Value.ENABLED : Value.DISABLED;
    }

    /** A write of a server, which its replica takes over. */
    void set(int server, Value value, Guard guard) {
        boolean isChanged = servers[server].value != value;
        servers[server].value = value;
        servers[server].guard = guard;
        if (server == 0 && isReplicated()) {
            servers[1].copy(servers[0]);
        }
        if (isChanged && node.server == server && node.isValueTracked) {
            node.isValueTracked = false;
            node.push = load.phase == Load.Phase.READ_EXECUTED ? Push.AFTER_THE_READ : Push.BEFORE_THE_READ;
        }
    }

    boolean believesRedis(Setting setting) {
        boolean isProven = node.watermark <= Time.BOUND || !setting.has(Rule.THE_UNPROVEN_ASKS_THE_SOURCE);
        return node.isConnected() && isProven && node.quarantine == 0;
    }

    void write(Packer to) {
        to.put(failover);
        to.put(ban);
        to.put(bannedOn, 2);
        to.put(isConfirmed() ? 0 : numbered, Time.CLOSED + 1);
        to.put(isMisled);
        servers[0].write(to);
        servers[1].write(to);
        node.write(to);
        load.write(to);
    }
}
