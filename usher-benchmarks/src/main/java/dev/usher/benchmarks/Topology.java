package dev.usher.benchmarks;

import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;

/** The Redis that a row is measured on. */
enum Topology {
    /** A server by itself. */
    SERVER("one server", 1),
    /** A Cluster of one primary, without replicas. */
    CLUSTER_OF_ONE("a Cluster of one primary", 1),
    /** A Cluster of three primaries, without replicas. */
    CLUSTER("a Cluster of three primaries", 3);

    private final String title;
    private final int primaries;

    Topology(String title, int primaries) {
        this.title = title;
        this.primaries = primaries;
    }

    /** Its name in titles. */
    String title() {
        return title;
    }

    /**
     * Servers that have been started, and end with this.
     *
     * @param uri by which contenders name them
     */
    record Started(String uri, AutoCloseable servers) implements AutoCloseable {

        @Override
        public void close() {
            try {
                servers.close();
            } catch (RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    Started start() {
        if (this == SERVER) {
            RedisServer server = RedisServer.start();
            return new Started(server.uri(), server);
        }
        RedisCluster cluster =
                RedisCluster.builder().primaries(primaries).replicas(0).start();
        return new Started(cluster.uri(), cluster);
    }
}
