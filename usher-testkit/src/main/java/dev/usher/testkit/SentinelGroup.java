package dev.usher.testkit;

import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A primary, its replicas, and the Sentinels that watch them: each a process of its own, on a free port of 127.0.0.1.
 *
 * <pre>{@code
 * try (SentinelGroup group = SentinelGroup.builder().replicas(2).start()) {
 *     RedisServer old = group.primary();
 *     old.kill();
 *     RedisServer promoted = group.awaitFailover(old);
 * }
 * }</pre>
 *
 * <p>Servers and Sentinels can be killed, frozen, thawed and restarted, each as a {@link RedisServer}. A restarted server
 * has no data, and the role that it had: a primary that is restarted before it has been replaced is an empty primary.
 * Sentinels make a replaced primary a replica about ten seconds after it answers again.
 *
 * <p>Thread-safe. Methods that must wait give up with an {@link IllegalStateException} after 30 s, and the message ends with
 * what the Sentinels have logged.
 */
public final class SentinelGroup implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final String name;
    private final String scheme;
    private final String password;
    private final String sentinelPassword;
    private final List<Member> servers = new ArrayList<>();
    private final List<Member> sentinels = new ArrayList<>();

    private SentinelGroup(Builder builder) {
        this.name = builder.name;
        this.scheme = builder.tls.isEmpty() ? "redis-sentinel" : "rediss-sentinel";
        this.password = builder.password;
        this.sentinelPassword = builder.sentinelPassword;
    }

    /** A group of a primary, two replicas and three Sentinels, without passwords, unless told otherwise. */
    public static Builder builder() {
        return new Builder();
    }

    /** The name of the primary, by which Sentinels are asked for its address. */
    public String name() {
        return name;
    }

    /** The group as {@code redis-sentinel://127.0.0.1:port,127.0.0.1:port#name}, without passwords. */
    public String uri() {
        return sentinels.stream()
                .map(sentinel -> LoopbackPort.HOST + ":" + sentinel.announcedPort())
                .collect(Collectors.joining(",", scheme + "://", "#" + name));
    }

    /** All servers but the Sentinels. The first one was the primary at the start. */
    public List<RedisServer> servers() {
        return servers.stream().map(Member::server).toList();
    }

    /** All servers but the Sentinels and the one that most Sentinels name as the primary. */
    public List<RedisServer> replicas() {
        RedisServer primary = primary();
        return servers().stream().filter(server -> server != primary).toList();
    }

    /** The Sentinels. */
    public List<RedisServer> sentinels() {
        return sentinels.stream().map(Member::server).toList();
    }

    /**
     * The server that most Sentinels name as the primary. It may be down.
     *
     * @throws IllegalStateException if there is none, for the Sentinels disagree or do not answer
     */
    public RedisServer primary() {
        return named().orElseThrow(() -> failure("most Sentinels name no primary"));
    }

    /** The port by which Sentinels and other servers know this one: the port of its proxy if it has one, else its own. */
    public int portOf(RedisServer server) {
        return memberOf(server).announcedPort();
    }

    /**
     * The proxy that stands before a server or a Sentinel. Clients, Sentinels and replicas all connect through it; what this
     * server itself opens goes directly to the other's proxy.
     *
     * @throws IllegalStateException if the group was not started {@linkplain Builder#proxied() with proxies}
     */
    public FaultProxy proxyOf(RedisServer server) {
        FaultProxy proxy = memberOf(server).proxy();
        if (proxy == null) {
            throw new IllegalStateException("the group was started without proxies");
        }
        return proxy;
    }

    /**
     * Parts the network: these servers and Sentinels on one side, the others of the group on the other, and no byte passes
     * between them, until {@link #heal}. Clients still reach all of them. Another part of the network ends the one before.
     *
     * @throws IllegalStateException if the group was not started {@linkplain Builder#proxied() with proxies}, or on macOS,
     *     where the servers have one address
     */
    public void isolate(RedisServer... side) {
        if (!OperatingSystem.hasManyLoopbackAddresses()) {
            throw new IllegalStateException("to part the network, each server needs an address, as it has on Linux");
        }
        Set<Member> here = Stream.of(side).map(this::memberOf).collect(Collectors.toSet());
        for (Member member : members()) {
            proxyOf(member.server())
                    .unhear(members().stream()
                            .filter(other -> here.contains(other) != here.contains(member))
                            .map(Member::source)
                            .collect(Collectors.toSet()));
        }
    }

    /** Ends the effect of {@link #isolate}: all servers and Sentinels reach each other. */
    public void heal() {
        members().forEach(member -> proxyOf(member.server()).unhear(Set.of()));
    }

    /**
     * Asks a Sentinel to replace the primary ({@code SENTINEL FAILOVER}), and waits until most Sentinels name the new one.
     *
     * @return the new primary
     */
    public RedisServer failOver() {
        RedisServer old = primary();
        await("no Sentinel begins a failover", () -> askAny("SENTINEL", "FAILOVER", name));
        return awaitFailover(old);
    }

    /**
     * Waits until most Sentinels name another primary.
     *
     * @param old the primary that is being replaced
     * @return the new primary
     */
    public RedisServer awaitFailover(RedisServer old) {
        await(
                "most Sentinels name no other primary than that on port " + old.port(),
                () -> named().filter(server -> server != old).isPresent());
        return primary();
    }

    /** Waits until every server that runs, but the primary, is a replica of the primary and has its data. */
    public void awaitReplicas() {
        await(
                "not every server follows the primary",
                () -> named().filter(this::isFollowedByAll).isPresent());
    }

    /** Kills all servers and Sentinels, and closes the proxies. A second call does nothing. */
    @Override
    public void close() {
        // The Sentinels first: they would begin a failover.
        sentinels.forEach(Member::close);
        servers.forEach(Member::close);
    }

    private Optional<RedisServer> named() {
        Map<String, Integer> votes = new HashMap<>();
        for (RedisServer sentinel : sentinels()) {
            List<String> address = askSentinel(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
            if (address.size() == 2) {
                votes.merge(address.get(1), 1, Integer::sum);
            }
        }
        return servers.stream()
                .filter(member ->
                        2 * votes.getOrDefault(Integer.toString(member.announcedPort()), 0) > sentinels.size())
                .map(Member::server)
                .findFirst();
    }

    private boolean isFollowedByAll(RedisServer primary) {
        return servers().stream()
                .filter(server -> server != primary && server.isRunning())
                .map(server -> server.askWithPassword(password, "INFO", "replication"))
                .allMatch(reply -> reply.size() == 1
                        && reply.get(0)
                                .lines()
                                .toList()
                                .containsAll(List.of(
                                        "role:slave", "master_port:" + portOf(primary), "master_link_status:up")));
    }

    private boolean knowsAll(RedisServer sentinel) {
        List<String> quorum = askSentinel(sentinel, "SENTINEL", "CKQUORUM", name);
        List<String> replicas = askSentinel(sentinel, "SENTINEL", "REPLICAS", name);
        long linked = IntStream.range(1, replicas.size())
                .filter(i -> replicas.get(i - 1).equals("master-link-status")
                        && replicas.get(i).equals("ok"))
                .count();
        return quorum.size() == 1
                && quorum.get(0).startsWith("OK " + sentinels.size() + " usable Sentinels")
                && linked == servers.size() - 1;
    }

    private boolean askAny(String... words) {
        return sentinels().stream()
                .anyMatch(sentinel -> askSentinel(sentinel, words).equals(List.of("OK")));
    }

    private List<String> askSentinel(RedisServer sentinel, String... words) {
        return sentinel.askWithPassword(sentinelPassword, words);
    }

    private Member memberOf(RedisServer server) {
        return members().stream()
                .filter(member -> member.server() == server)
                .findFirst()
                .orElseThrow(() ->
                        new IllegalArgumentException("the server on port " + server.port() + " is not in the group"));
    }

    private List<Member> members() {
        return Stream.concat(servers.stream(), sentinels.stream()).toList();
    }

    private void await(String failure, BooleanSupplier condition) {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw failure(failure + " after " + LIMIT);
            }
            LoopbackPort.pause();
        }
    }

    private IllegalStateException failure(String message) {
        return new IllegalStateException(sentinels().stream()
                .map(sentinel -> "the log of the Sentinel on port " + sentinel.port() + ":\n" + sentinel.logTail())
                .collect(Collectors.joining("\n", message + "; ", "")));
    }

    /**
     * A server or a Sentinel.
     *
     * @param proxy the proxy before it, if there is one
     * @param source the address from which it connects to others; with proxies on Linux each has another
     */
    private record Member(RedisServer server, @Nullable FaultProxy proxy, InetAddress source) {
        int announcedPort() {
            return proxy == null ? server.port() : proxy.port();
        }

        void close() {
            server.close();
            if (proxy != null) {
                proxy.close();
            }
        }
    }

    /** Where a server is to be started; as in its {@link Member}. */
    private record Place(LoopbackPort port, @Nullable FaultProxy proxy, InetAddress source) {
        static Place at(LoopbackPort port, boolean proxied, int index) {
            return new Place(
                    port,
                    proxied ? FaultProxy.inFrontOf(LoopbackPort.HOST, port.number()) : null,
                    LoopbackPort.address(proxied && OperatingSystem.hasManyLoopbackAddresses() ? 2 + index : 1));
        }

        /** The line of {@code redis.conf} that makes a server connect from its address. */
        List<String> directives() {
            if (source.equals(LoopbackPort.address())) {
                return List.of();
            }
            String address = source.getHostAddress();
            // Redis 6.2 connects from the first address that it listens on.
            return List.of(
                    RedisExecutable.isOlderThanSeven()
                            ? "bind " + address + " " + LoopbackPort.HOST
                            : "bind-source-addr " + address);
        }

        int announcedPort() {
            return proxy == null ? port.number() : proxy.port();
        }

        Member serve(Supplier<RedisServer> start) {
            try {
                return new Member(start.get(), proxy, source);
            } catch (RuntimeException e) {
                close();
                throw e;
            }
        }

        void close() {
            port.close();
            if (proxy != null) {
                proxy.close();
            }
        }
    }

    /** Settings of a group. Not thread-safe. */
    public static final class Builder {
        private String name = "mymaster";
        private int replicas = 2;
        private int sentinels = 3;
        private Duration downAfter = Duration.ofSeconds(1);
        private String password = "";
        private String sentinelPassword = "";
        private boolean proxied;
        private final List<String> directives = new ArrayList<>();
        private final List<String> sentinelDirectives = new ArrayList<>();
        private final List<String> tls = new ArrayList<>();

        private Builder() {}

        /** The name of the primary; {@code mymaster} by default. */
        public Builder name(String name) {
            this.name = Objects.requireNonNull(name);
            return this;
        }

        /** The number of replicas; 2 by default. Without one there is no failover. */
        public Builder replicas(int replicas) {
            this.replicas = atLeast(0, replicas);
            return this;
        }

        /** The number of Sentinels, 3 by default; more than half of them must agree that the primary is down. */
        public Builder sentinels(int sentinels) {
            this.sentinels = atLeast(1, sentinels);
            return this;
        }

        /**
         * How long a server must be silent until a Sentinel holds it to be down ({@code down-after-milliseconds}); 1 s by
         * default.
         */
        public Builder downAfter(Duration downAfter) {
            this.downAfter = downAfter;
            return this;
        }

        /** The number of replicas without which the primary takes no writes; none by default. */
        public Builder minReplicasToWrite(int min) {
            directives.add("min-replicas-to-write " + atLeast(0, min));
            return this;
        }

        /** The password of the servers, for clients, replicas and Sentinels; none by default. */
        public Builder password(String password) {
            this.password = Objects.requireNonNull(password);
            return this;
        }

        /** The password of the Sentinels, for clients and each other; none by default. */
        public Builder sentinelPassword(String password) {
            this.sentinelPassword = Objects.requireNonNull(password);
            return this;
        }

        /**
         * TLS instead of plain text, for servers, replication and Sentinels; no client needs a certificate.
         *
         * @param certificate of the servers and the Sentinels, PEM
         * @param key of the certificate, PEM
         * @param authority the certificate that the others trust, PEM
         */
        public Builder tls(Path certificate, Path key, Path authority) {
            tls.clear();
            tls.addAll(List.of(
                    "tls-cert-file " + certificate.toAbsolutePath(),
                    "tls-key-file " + key.toAbsolutePath(),
                    "tls-ca-cert-file " + authority.toAbsolutePath(),
                    "tls-auth-clients no",
                    "tls-replication yes"));
            return this;
        }

        /** Puts a {@link FaultProxy} before every server and Sentinel, which all name the proxy's address as their own. */
        public Builder proxied() {
            this.proxied = true;
            return this;
        }

        /** Further lines of the {@code redis.conf} of every server but the Sentinels. */
        public Builder directives(String... lines) {
            directives.addAll(List.of(lines));
            return this;
        }

        /** Further lines of the {@code sentinel.conf} of every Sentinel. */
        public Builder sentinelDirectives(String... lines) {
            sentinelDirectives.addAll(List.of(lines));
            return this;
        }

        /**
         * Starts all servers, and waits until every replica has the primary's data and every Sentinel knows all others.
         *
         * @throws IllegalStateException if a server does not answer; the message ends with its log
         */
        public SentinelGroup start() {
            OperatingSystem.requireUnix("Redis");
            SentinelGroup group = new SentinelGroup(this);
            try {
                for (int i = 0; i <= replicas; i++) {
                    group.servers.add(LoopbackPort.serve(LoopbackPort::reserve, port -> startServer(group, port)));
                }
                group.await(
                        "not every server follows the primary",
                        () -> group.isFollowedByAll(group.servers.get(0).server()));
                startSentinels(group);
                group.await(
                        "not every Sentinel knows all others",
                        () -> group.sentinels().stream().allMatch(group::knowsAll));
                return group;
            } catch (RuntimeException e) {
                group.close();
                throw e;
            }
        }

        private Member startServer(SentinelGroup group, LoopbackPort port) {
            List<String> settings = new ArrayList<>(tls(port));
            if (!password.isEmpty()) {
                settings.add("requirepass " + password);
                settings.add("masterauth " + password);
            }
            if (!group.servers.isEmpty()) {
                settings.add("replicaof " + LoopbackPort.HOST + " "
                        + group.servers.get(0).announcedPort());
            }
            settings.addAll(directives);
            Place place = Place.at(port, proxied, group.servers.size());
            settings.addAll(place.directives());
            if (proxied) {
                settings.add("replica-announce-ip " + LoopbackPort.HOST);
                settings.add("replica-announce-port " + place.announcedPort());
            }
            return place.serve(() -> RedisServer.start(port, settings.toArray(String[]::new)));
        }

        /**
         * Starts the Sentinels with the addresses of all in their settings: to find each other, they would need some
         * seconds.
         */
        private void startSentinels(SentinelGroup group) {
            List<Place> places = new ArrayList<>();
            try {
                for (int i = 0; i < sentinels; i++) {
                    places.add(Place.at(LoopbackPort.reserve(), proxied, group.servers.size() + i));
                }
                for (int i = 0; i < sentinels; i++) {
                    LoopbackPort port = places.get(i).port();
                    List<String> settings = sentinelSettings(group, places, i);
                    group.sentinels.add(places.get(i).serve(() -> RedisServer.startSentinel(port, settings)));
                }
            } catch (RuntimeException e) {
                places.forEach(Place::close);
                throw e;
            }
        }

        private List<String> sentinelSettings(SentinelGroup group, List<Place> places, int own) {
            List<String> settings = new ArrayList<>(tls(places.get(own).port()));
            String primary = LoopbackPort.HOST + " " + group.servers.get(0).announcedPort();
            settings.addAll(places.get(own).directives());
            settings.add("sentinel myid " + id(own));
            settings.add("sentinel monitor " + name + " " + primary + " " + (sentinels / 2 + 1));
            settings.add("sentinel down-after-milliseconds " + name + " " + downAfter.toMillis());
            settings.add("sentinel failover-timeout " + name + " " + Math.max(5_000, 5 * downAfter.toMillis()));
            for (Member replica : group.servers.subList(1, group.servers.size())) {
                settings.add(
                        "sentinel known-replica " + name + " " + LoopbackPort.HOST + " " + replica.announcedPort());
            }
            for (int i = 0; i < sentinels; i++) {
                if (i != own) {
                    settings.add("sentinel known-sentinel " + name + " " + LoopbackPort.HOST + " "
                            + places.get(i).announcedPort() + " " + id(i));
                }
            }
            if (proxied) {
                settings.add("sentinel announce-ip " + LoopbackPort.HOST);
                settings.add("sentinel announce-port " + places.get(own).announcedPort());
            }
            if (!password.isEmpty()) {
                settings.add("sentinel auth-pass " + name + " " + password);
            }
            if (!sentinelPassword.isEmpty()) {
                settings.add("requirepass " + sentinelPassword);
                settings.add("sentinel sentinel-pass " + sentinelPassword);
            }
            settings.addAll(sentinelDirectives);
            return settings;
        }

        private static String id(int sentinel) {
            return String.format(Locale.ROOT, "%040x", sentinel + 1);
        }

        private List<String> tls(LoopbackPort port) {
            List<String> settings = new ArrayList<>();
            if (!tls.isEmpty()) {
                settings.add("port 0");
                settings.add("tls-port " + port.number());
                settings.addAll(tls);
            }
            return settings;
        }

        private static int atLeast(int least, int number) {
            if (number < least) {
                throw new IllegalArgumentException(number + " is less than " + least);
            }
            return number;
        }
    }
}
