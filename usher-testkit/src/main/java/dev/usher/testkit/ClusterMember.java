package dev.usher.testkit;

import java.net.InetAddress;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A server of a {@link RedisCluster}.
 *
 * @param place where it was started
 * @param firstPrimary the id of the primary that it was or had at the start: of the servers with the same one, one is a primary
 */
record ClusterMember(RedisServer server, Place place, String id, String firstPrimary) {

    /** A server listens for the others on its port and this. */
    static final int BUS = 10_000;

    /** The port by which the others name it. */
    int announcedPort() {
        return place.announcedPort();
    }

    @Nullable FaultProxy proxy() {
        return place.proxy;
    }

    void close() {
        server.close();
        place.closeProxies();
    }

    static String newId() {
        return (UUID.randomUUID().toString() + UUID.randomUUID())
                .replace("-", "")
                .substring(0, 40);
    }

    /**
     * Where a server is to be started.
     *
     * @param proxy before its port, or {@code null}
     * @param bus the same before the port by which the servers agree
     * @param source the address from which it connects to others; with proxies on Linux each has another
     */
    record Place(
            LoopbackPort port,
            @Nullable FaultProxy proxy,
            @Nullable FaultProxy bus,
            InetAddress source) {

        static Place reserve(boolean proxied, int index) {
            LoopbackPort port = LoopbackPort.reserveWith(BUS);
            boolean hasSource = proxied && OperatingSystem.hasManyLoopbackAddresses();
            return new Place(
                    port,
                    proxied ? FaultProxy.inFrontOf(LoopbackPort.HOST, port.number()) : null,
                    hasSource ? FaultProxy.inFrontOf(LoopbackPort.HOST, port.number() + BUS) : null,
                    LoopbackPort.address(hasSource ? 2 + index : 1));
        }

        int announcedPort() {
            return proxy == null ? port.number() : proxy.port();
        }

        int announcedBus() {
            return bus == null ? port.number() + BUS : bus.port();
        }

        /** The lines of {@code redis.conf} by which the others find the server, and tell it from others. */
        List<String> directives(String host, boolean hasTls) {
            List<String> announced = List.of(
                    "cluster-announce-ip " + host,
                    (hasTls ? "cluster-announce-tls-port " : "cluster-announce-port ") + announcedPort(),
                    "cluster-announce-bus-port " + announcedBus());
            return bus == null
                    ? announced
                    : Stream.concat(
                                    announced.stream(),
                                    Stream.of(
                                            "bind-source-addr " + source.getHostAddress(),
                                            // Else its primary would know it by that address.
                                            "replica-announce-ip " + LoopbackPort.HOST,
                                            "replica-announce-port " + announcedPort()))
                            .toList();
        }

        /** Drops all bytes that come from servers with these addresses, until it is called without them. */
        void unhear(Set<InetAddress> sources) {
            if (proxy == null || bus == null) {
                throw new IllegalStateException(
                        "to part the network, each server needs proxies and an address, as it has on Linux");
            }
            proxy.unhear(sources);
            bus.unhear(sources);
        }

        void close() {
            port.close();
            closeProxies();
        }

        private void closeProxies() {
            if (proxy != null) {
                proxy.close();
            }
            if (bus != null) {
                bus.close();
            }
        }

        /** The line of the server in a file of the Cluster. */
        String line(String host, String id, boolean isOwn, String primary, int epoch, String slots) {
            return String.join(
                            " ",
                            id,
                            host + ":" + announcedPort() + "@" + announcedBus(),
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
