package dev.usher.redis;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The role of a Redis server. Only a {@link #PRIMARY} can be the shared tier. */
public enum ServerRole {

    /** A standalone server, or the primary of its replicas. */
    PRIMARY(null),

    /** A replica of a primary. */
    REPLICA("a replica, which accepts no writes. Name its primary"),

    /** A node of a Redis Cluster, which holds a part of the slots. */
    CLUSTER_NODE(
            "a node of a Redis Cluster, named by its own address: users in the slots of other nodes are read from the"
                    + " source each time, and their changes reach no other process. Name the Cluster, with"
                    + " spring.data.redis.cluster.nodes or as redis-cluster://host:port,host:port, or a standalone Redis"),

    /** A Sentinel, which watches a primary and its replicas. */
    SENTINEL(
            "a Sentinel, which stores nothing. Name all Sentinels with spring.data.redis.sentinel.nodes, or the primary that"
                    + " they watch");

    private static final Pattern MODE = Pattern.compile("^(?:redis|server)_mode:(\\w+)", Pattern.MULTILINE);
    private static final Pattern ROLE = Pattern.compile("^role:(\\w+)", Pattern.MULTILINE);

    private final @Nullable String advice;

    ServerRole(@Nullable String advice) {
        this.advice = advice;
    }

    /**
     * Parses the sections {@code server} and {@code replication} of {@code INFO}. A server without this information counts as a primary.
     */
    static ServerRole parse(String info) {
        return parse(info, false);
    }

    /**
     * As the other.
     *
     * @param inCluster whether it is known as a server of a Cluster
     */
    static ServerRole parse(String info, boolean inCluster) {
        String mode = firstOf(MODE, info);
        if ("cluster".equals(mode) && !inCluster) {
            return CLUSTER_NODE;
        }
        if ("sentinel".equals(mode)) {
            return SENTINEL;
        }
        return "slave".equals(firstOf(ROLE, info)) ? REPLICA : PRIMARY;
    }

    private static @Nullable String firstOf(Pattern field, String info) {
        Matcher found = field.matcher(info);
        return found.find() ? found.group(1) : null;
    }

    /** The problem and the server to use instead, in words, or {@code null} for a server that can be the shared tier. */
    @Nullable String advice() {
        return advice;
    }
}
