package dev.usher.testkit;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A server of a {@link RedisCluster}.
 *
 * @param firstPrimary the id of the primary that it was or had at the start: of the servers with the same one, one is a primary
 */
record ClusterMember(RedisServer server, @Nullable FaultProxy proxy, String id, String firstPrimary) {

    /** A server listens for the others on its port and this. */
    static final int BUS = 10_000;

    /** The port by which the others name it. */
    int announcedPort() {
        return proxy == null ? server.port() : proxy.port();
    }

    void close() {
        server.close();
        if (proxy != null) {
            proxy.close();
        }
    }

    static String newId() {
        return (UUID.randomUUID().toString() + UUID.randomUUID())
                .replace("-", "")
                .substring(0, 40);
    }

    /** Where a server is to be started. */
    record Place(LoopbackPort port, @Nullable FaultProxy proxy) {

        static Place reserve(boolean proxied) {
            LoopbackPort port = LoopbackPort.reserveWith(BUS);
            return new Place(port, proxied ? FaultProxy.inFrontOf(LoopbackPort.HOST, port.number()) : null);
        }

        int announcedPort() {
            return proxy == null ? port.number() : proxy.port();
        }

        void close() {
            port.close();
            if (proxy != null) {
                proxy.close();
            }
        }

        /** The line of the server in a file of the Cluster. */
        String line(String host, String id, boolean isOwn, String primary, int epoch, String slots) {
            return String.join(
                            " ",
                            id,
                            host + ":" + announcedPort() + "@" + (port.number() + BUS),
                            (isOwn ? "myself," : "") + (primary.equals("-") ? "master" : "slave"),
                            primary,
                            "0 0",
                            Integer.toString(epoch),
                            "connected",
                            slots)
                    + "\n";
        }
    }
}
