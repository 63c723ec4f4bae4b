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
            "a node of a Redis Cluster, which usher does not support: users in the slots of other nodes are read from the"
                    + " source each time, and their changes reach no other process. Name a standalone Redis"),

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
        String mode = firstOf(MODE, info);
        if ("cluster".equals(mode)) {
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
