package dev.usher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;

/**
 * The parameters that all nodes of a fault run share.
 *
 * @param fault how long a fault lasts
 * @param flapping how long a connection flaps
 * @param bound the staleness bound of all facets
 * @param processes how many of the nodes are processes of their own; three more are in the test's own
 */
record FaultRun(Duration fault, Duration flapping, Duration bound, int processes) {

    static final int LOCAL_NODES = 3;

    /** Threads of a node that read profiles: even half of them are more than the allowed concurrent queries. */
    static final int PROFILE_READERS = 10;

    /** Threads of a node that read statuses. */
    static final int STATUS_READERS = 3;

    /** Threads of a node that change statuses; each waits for a receipt most of its time. */
    static final int STATUS_WRITERS = 2;

    /** Users with a status, each disabled and enabled in turn by one thread of one node. */
    static final int STATUSES = 24;

    /** A set of users with profiles. */
    enum Group {
        /** Each changed by one node. */
        CHANGED(0, 30),
        /** Never changed, and answered once by every node before the fault. */
        KNOWN(30, 30),
        /** There are no such users. */
        ABSENT(60, 4),
        /** Never changed, and so many that most of them are asked for the first time. */
        COLD(64, 4000);

        private final int first;
        private final int size;

        Group(int first, int size) {
            this.first = first;
            this.size = size;
        }

        int first() {
            return first;
        }

        /** The id after the last one. */
        int end() {
            return first + size;
        }

        boolean holds(int id) {
            return id >= first && id < end();
        }

        int pick(SplittableRandom random) {
            return first + random.nextInt(size);
        }

        /** A random group, the most interesting ones more often. */
        static Group any(SplittableRandom random, boolean unknownToo) {
            int choice = random.nextInt(unknownToo ? 100 : 60);
            return choice < 40 ? CHANGED : choice < 55 ? KNOWN : choice < 60 ? ABSENT : COLD;
        }
    }

    /** The user that is changed when the fault is over: every node has to see that change. */
    static final int PROBE = Group.COLD.end();

    /** Ids of users are from 0 to this, exclusive. */
    static int users() {
        return PROBE + 1;
    }

    int nodes() {
        return LOCAL_NODES + processes;
    }

    Facet<UserProfile> profiles() {
        return UserProfile.FACET.with(
                UserProfile.FACET.policy().toBuilder().stalenessBound(bound).build());
    }

    Facet<UserStatus> statuses() {
        return UserStatus.FACET.with(
                UserStatus.FACET.policy().toBuilder().stalenessBound(bound).build());
    }

    /** A facet that is used for the probe only. */
    Facet<UserProfile> probes() {
        return new Facet<>("probe", UserProfile.FACET.codec(), profiles().policy());
    }

    static Path reads(Path directory, int node, int reader) {
        return directory.resolve("reads-" + node + "-" + reader);
    }

    /** The answers to a reader that were marked as stale. */
    static Path stale(Path directory, int node, int reader) {
        return directory.resolve("stale-" + node + "-" + reader);
    }

    static Path statusReads(Path directory, int node, int reader) {
        return directory.resolve("status-reads-" + node + "-" + reader);
    }

    static Path changes(Path directory, int node, int writer) {
        return directory.resolve("changes-" + node + "-" + writer);
    }

    static Path statusChanges(Path directory, int node, int writer) {
        return directory.resolve("status-changes-" + node + "-" + writer);
    }

    static Path last(Path directory, int node) {
        return directory.resolve("last-" + node);
    }

    static Path lastStatuses(Path directory, int node) {
        return directory.resolve("last-statuses-" + node);
    }

    List<String> toArguments() {
        return List.of(fault.toString(), flapping.toString(), bound.toString(), Integer.toString(processes));
    }

    static FaultRun parse(List<String> arguments) {
        return new FaultRun(
                Duration.parse(arguments.get(0)),
                Duration.parse(arguments.get(1)),
                Duration.parse(arguments.get(2)),
                Integer.parseInt(arguments.get(3)));
    }

    static FaultRun fromProperties() {
        return new FaultRun(
                Duration.ofMillis(Long.getLong("usher.faults.millis", 1000)),
                Duration.ofMillis(Long.getLong("usher.faults.flapping", 3000)),
                Duration.ofMillis(Long.getLong("usher.faults.bound", 400)),
                Integer.getInteger("usher.faults.processes", 0));
    }
}
