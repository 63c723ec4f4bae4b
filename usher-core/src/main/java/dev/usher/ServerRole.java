package dev.usher;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What a server of Redis is among others: only one of these can be the shared tier. */
enum ServerRole {

    /** A standalone server, or the primary of its replicas. */
    PRIMARY(null),

    /** One that copies a primary. */
    REPLICA("a replica, which accepts no writes. Name its primary"),

    /** One of the servers among which the slots of a Redis Cluster are divided. */
    CLUSTER_NODE(
            "a node of a Redis Cluster, which usher does not support: users in the slots of other nodes are read from the"
                    + " source each time, and their changes reach no other process. Name a standalone Redis"),

    /** One that watches a primary for its replicas. */
    SENTINEL("a Sentinel, which stores nothing. Name the primary that it watches");

    private static final Pattern MODE = Pattern.compile("^(?:redis|server)_mode:(\\w+)", Pattern.MULTILINE);
    private static final Pattern ROLE = Pattern.compile("^role:(\\w+)", Pattern.MULTILINE);

    private final @Nullable String advice;

    ServerRole(@Nullable String advice) {
        this.advice = advice;
    }

    /**
     * What the sections {@code server} and {@code replication} of {@code INFO} say. A server that does not say is taken for one
     * that will do.
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

    /** What is wrong with it and which server to name instead, or {@code null} when it will do. */
    @Nullable String advice() {
        return advice;
    }
}
