package dev.usher;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * The parameters that all processes of a coherence run share.
 *
 * <p>The users are in five groups, by the writer that changes them and the kind of its announcements.
 *
 * @param reads how many reads are made, by all threads of all nodes together
 * @param duration the time over which they are spread
 * @param bound the staleness bound of both facets
 * @param processes how many of the nodes are processes of their own; two more are in the test's own
 */
record CoherenceRun(long reads, Duration duration, Duration bound, int processes) {

    /** Threads of a node that do nothing but read; the one that changes reads a little as well. */
    static final int READERS = 2;

    static final int LOCAL_NODES = 2;

    /** The TTL of an entry of the second facet: so short that entries also expire during a run. */
    static final Duration BRIEF_TTL = Duration.ofSeconds(2);

    private static final int GROUP_SIZE = 16;
    private static final int REGISTRATIONS = 4096;

    /** A set of users. */
    enum Group {
        /** Changed by all nodes, through usher. */
        CHANGED(0),
        /** As {@link #CHANGED}, in the facet of short-lived entries. */
        BRIEF(GROUP_SIZE),
        /** Changed by one foreign program, which stores what it has committed. */
        SET_BY_FOREIGNER(2 * GROUP_SIZE),
        /** Changed by all nodes, through usher, and by a foreign program, which deletes. In the facet of short-lived entries. */
        MIXED(3 * GROUP_SIZE);

        private final int first;

        Group(int first) {
            this.first = first;
        }

        int first() {
            return first;
        }

        private boolean holds(int id) {
            return id >= first && id < first + GROUP_SIZE;
        }

        /** A random user of the group; the first users far more often than the last ones. */
        int pick(double random) {
            return first + (int) (GROUP_SIZE * random * random * random);
        }

        static boolean isBrief(int id) {
            return BRIEF.holds(id) || MIXED.holds(id);
        }
    }

    /** The number of users that exist at first. */
    static int existing() {
        return Group.values().length * GROUP_SIZE;
    }

    int nodes() {
        return LOCAL_NODES + processes;
    }

    /** The number of users that ever exist. */
    int users() {
        return existing() + nodes() * REGISTRATIONS;
    }

    /** The n-th user that is registered on a node; before that, readers find no such user. */
    static int registered(int node, int n) {
        return existing() + node * REGISTRATIONS + Math.min(n, REGISTRATIONS - 1);
    }

    static boolean canRegister(int n) {
        return n < REGISTRATIONS;
    }

    int readsPerReader() {
        int readers = nodes() * READERS;
        return (int) ((reads + readers - 1) / readers);
    }

    /** The reads of one of the {@link #READERS}, from 0, or after them those of the thread that changes. */
    static Path reads(Path directory, int node, int reader) {
        return directory.resolve("reads-" + node + "-" + reader);
    }

    static Path last(Path directory, int node) {
        return directory.resolve("last-" + node);
    }

    static Path changes(Path directory, int node) {
        return directory.resolve("changes-" + node);
    }

    Facet<UserProfile> profiles() {
        return UserProfile.FACET.with(
                UserProfile.FACET.policy().toBuilder().stalenessBound(bound).build());
    }

    Facet<UserProfile> briefProfiles() {
        return new Facet<>(
                "brief",
                UserProfile.FACET.codec(),
                profiles().policy().toBuilder().ttl(BRIEF_TTL).build());
    }

    /** The key of a user in Redis. */
    static String keyOf(int id) {
        return "user:" + id + (Group.isBrief(id) ? ":brief" : ":profile");
    }

    List<String> toArguments() {
        return List.of(Long.toString(reads), duration.toString(), bound.toString(), Integer.toString(processes));
    }

    static CoherenceRun parse(List<String> arguments) {
        return new CoherenceRun(
                Long.parseLong(arguments.get(0)),
                Duration.parse(arguments.get(1)),
                Duration.parse(arguments.get(2)),
                Integer.parseInt(arguments.get(3)));
    }

    static CoherenceRun fromProperties() {
        return new CoherenceRun(
                Long.getLong("usher.coherence.reads", 2_000_000L),
                Duration.ofSeconds(Long.getLong("usher.coherence.seconds", 30L)),
                Duration.ofMillis(Long.getLong("usher.coherence.bound", 1000)),
                Integer.getInteger("usher.coherence.processes", 2));
    }
}
