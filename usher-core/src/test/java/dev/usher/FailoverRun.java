package dev.usher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * The parameters that all processes of a failover share.
 *
 * <p>There are two facets, with the bounds that profiles and statuses have by default. The one that fails closed is called the gate: its values have a version,
 * so that each answer can be judged, and the changes of half its users are announced as a ban is.
 *
 * @param before how long the nodes read before the failover
 * @param after how long they read after the first answer of the new primary; a partition of the network, or a name that leads to two servers, lasts as long
 * @param quiet how long nothing is changed at the end, before all that was changed is read once more
 * @param readsPerSecond how many reads are due on each node
 * @param users how many there are; half of the reads are of the gate, half of profiles
 */
record FailoverRun(Duration before, Duration after, Duration quiet, int readsPerSecond, int users) {

    /** All of them processes of their own. */
    static final int NODES = 3;

    private static final int READS_OF_A_THREAD = 10;
    /** So many that some are on each primary of a Cluster, in each facet. */
    private static final int PROBES = 500;

    /** How many queries the database answers in a second, for all nodes together. */
    static final int QUERIES_PER_SECOND = 500;

    /** Users from 0 to this, exclusive, are changed while they are read, each by one node. */
    static final int CHANGED = 60;

    /** Whether a change of a user in the gate is announced as a ban. Others are not in quarantine then. */
    static boolean isBanned(int id) {
        return id >= CHANGED || id / NODES % 2 == 0;
    }

    /** The users after those are banned in the last moments of a primary. */
    static final int BANNED_LAST = 4;

    /** One of so many reads is of a user that is changed. */
    static final int READS_OF_CHANGED = 5;

    /** Threads of a node that read: at the full rate as many as an application server has. */
    int readers() {
        return readsPerSecond / READS_OF_A_THREAD;
    }

    /** The users of which one is changed in each facet when the failover is over: every node has to see that change. On a Cluster, some of them are on each primary. */
    int firstProbe() {
        return users;
    }

    /** A user that is banned before the load, and never changed. */
    int rehearsed() {
        return allUsers() - 1;
    }

    /** How many users there are with the probes. */
    int allUsers() {
        return users + PROBES;
    }

    Facet<UserProfile> profiles() {
        return UserProfile.FACET;
    }

    Facet<UserProfile> gates() {
        return new Facet<>("gate", UserProfile.FACET.codec(), UserStatus.FACET.policy());
    }

    /** A facet like {@link #profiles}, for the probes only. */
    Facet<UserProfile> profileProbes() {
        return new Facet<>(
                "profile-probe", UserProfile.FACET.codec(), profiles().policy());
    }

    /** A facet like {@link #gates}, for the probes only. */
    Facet<UserProfile> gateProbes() {
        return new Facet<>("gate-probe", UserProfile.FACET.codec(), gates().policy());
    }

    /** Whether every node must know the last version of a facet's users in the end. */
    boolean isSettled(Facet<?> facet) {
        return quiet.compareTo(facet.policy().stalenessBound()) > 0;
    }

    /** A kind of record that a node leaves in a file. */
    enum Records {
        GATE_READS,
        PROFILE_READS,
        /** When each call was due and when it was answered. */
        CALLS,
        GATE_CHANGES,
        PROFILE_CHANGES,
        RECEIPTS,
        LAST_GATES,
        LAST_PROFILES;

        Path of(Path directory, int node) {
            return of(directory, node, 0);
        }

        Path of(Path directory, int node, int thread) {
            return directory.resolve(name() + "-" + node + "-" + thread);
        }
    }

    static QueryCap queries(Path directory) {
        return QueryCap.in(directory.resolve("queries"), QUERIES_PER_SECOND);
    }

    List<String> toArguments() {
        return List.of(
                before.toString(),
                after.toString(),
                quiet.toString(),
                Integer.toString(readsPerSecond),
                Integer.toString(users));
    }

    static FailoverRun parse(List<String> arguments) {
        return new FailoverRun(
                Duration.parse(arguments.get(0)),
                Duration.parse(arguments.get(1)),
                Duration.parse(arguments.get(2)),
                Integer.parseInt(arguments.get(3)),
                Integer.parseInt(arguments.get(4)));
    }
}
