package dev.usher.testkit;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A Redis Cluster: primaries that share the 16384 slots, and their replicas, each a process of its own on a free port of 127.0.0.1. Its servers are
 * Redis 7.0, with {@code org.signal:embedded-redis} on the class path, unless the system property {@code usher.testkit.redis} names another.
 *
 * <pre>{@code
 * try (RedisCluster cluster = RedisCluster.builder().start()) {
 *     int slot = cluster.slotOf("user:42:profile");
 *     cluster.moveSlot(slot, cluster.primaries().get(2));
 *     RedisServer old = cluster.primaryOf(slot);
 *     old.kill();
 *     RedisServer promoted = cluster.awaitFailover(old);
 * }
 * }</pre>
 *
 * <p>Each server can be killed, frozen, thawed and restarted, as a {@link RedisServer}. A restarted server has no data, and is the node that it was, with the
 * role that it had; as a primary, it takes writes after two seconds. A primary that loses its last slot becomes a replica of the server that has got it.
 *
 * <p>Thread-safe, as long as one thread at a time changes the Cluster. Methods that must wait give up with an {@link IllegalStateException} after 30 s,
 * and the message ends with what the servers have logged. "All servers" are those that run, and are not frozen or isolated.
 */
public final class RedisCluster implements AutoCloseable {

    /** How many slots a Cluster has. */
    public static final int SLOTS = 16384;

    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final Builder settings;
    private final List<ClusterMember> members = new CopyOnWriteArrayList<>();
    private volatile Set<ClusterMember> isolated = Set.of();

    private RedisCluster(Builder settings) {
        this.settings = settings;
    }

    /** A Cluster of three primaries with a replica each, without a password, unless told otherwise. */
    public static Builder builder() {
        return new Builder();
    }

    /** How a replica takes the place of its primary. */
    public enum Failover {
        /** The primary stops, and hands over all that it has; it must answer. */
        ORDERLY,
        /** The other primaries vote; the primary need not answer. */
        FORCE,
        /** No server is asked. */
        TAKEOVER
    }

    /** The Cluster as {@code redis-cluster://127.0.0.1:port,127.0.0.1:port} with all of its servers, without a password. */
    public String uri() {
        return members.stream()
                .map(member -> (settings.host.contains(":") ? "[" + settings.host + "]" : settings.host) + ":"
                        + member.announcedPort())
                .collect(
                        Collectors.joining(",", settings.tls.isEmpty() ? "redis-cluster://" : "rediss-cluster://", ""));
    }

    /** All servers; at the start, the primaries in the order of their slots, then their replicas. */
    public List<RedisServer> servers() {
        return members.stream().map(ClusterMember::server).toList();
    }

    /** The servers that have slots, by their first slot, as soon as all servers agree on them. */
    public List<RedisServer> primaries() {
        return awaitAgreement().primaries().stream().map(this::serverOf).toList();
    }

    /** The replicas of a primary, as soon as all servers agree on them. */
    public List<RedisServer> replicasOf(RedisServer primary) {
        String id = memberOf(primary).id();
        return awaitAgreement().nodes().values().stream()
                .filter(node -> node.primary().equals(id))
                .map(this::serverOf)
                .toList();
    }

    /** The slot of a key. */
    public int slotOf(String key) {
        return Integer.parseInt(askAny("CLUSTER", "KEYSLOT", key));
    }

    /**
     * The primary of a slot, as soon as all servers agree on it. It may be down.
     *
     * @throws IllegalStateException if no server has the slot
     */
    public RedisServer primaryOf(int slot) {
        return serverOf(awaitAgreement().ownerOf(slot).orElseThrow(() -> failure("no server has the slot " + slot)));
    }

    /** The primary of the slot of a key. */
    public RedisServer primaryOf(String key) {
        return primaryOf(slotOf(key));
    }

    /** The slots of a server, as soon as all servers agree on them; none of a replica. */
    public Set<Integer> slotsOf(RedisServer server) {
        String id = memberOf(server).id();
        return awaitAgreement().nodes().values().stream()
                .filter(node -> node.id().equals(id))
                .flatMapToInt(ClusterView.Node::allSlots)
                .boxed()
                .collect(Collectors.toSet());
    }

    /** The port by which the others name a server: that of its proxy if it has one, else its own. */
    public int portOf(RedisServer server) {
        return memberOf(server).announcedPort();
    }

    /** The id of a server in the Cluster. */
    public String idOf(RedisServer server) {
        return memberOf(server).id();
    }

    /**
     * The proxy that stands before a server, for clients and replicas; another one stands before the port by which the servers agree.
     *
     * @throws IllegalStateException if the Cluster was not started {@linkplain Builder#proxied() with proxies}
     */
    public FaultProxy proxyOf(RedisServer server) {
        FaultProxy proxy = memberOf(server).proxy();
        if (proxy == null) {
            throw new IllegalStateException("the Cluster was started without proxies");
        }
        return proxy;
    }

    /**
     * Starts a proxy before each server, in the order of {@link #servers()}, for one client alone: over them, the servers are named by the addresses of these
     * proxies, so that the client reaches each of them through its proxy. The caller closes them. Servers that join later have none.
     */
    public List<FaultProxy> proxiesForOneClient() {
        Map<Integer, Integer> ports = new HashMap<>();
        List<FaultProxy> proxies = new ArrayList<>();
        for (ClusterMember member : members) {
            FaultProxy proxy = FaultProxy.inFrontOf(LoopbackPort.HOST, member.announcedPort());
            ports.put(member.announcedPort(), proxy.port());
            proxies.add(proxy);
        }
        proxies.forEach(proxy -> proxy.rename(ports));
        return proxies;
    }

    /**
     * Parts the network between some servers and the others, until {@link #heal}: replicas, and what the servers agree on. Clients reach all of them.
     *
     * @throws IllegalStateException if the Cluster was not started {@linkplain Builder#proxied() with proxies}, or not on Linux
     */
    public void isolate(RedisServer... side) {
        Set<ClusterMember> here = Stream.of(side).map(this::memberOf).collect(Collectors.toSet());
        for (ClusterMember member : members) {
            member.place()
                    .unhear(members.stream()
                            .filter(other -> here.contains(other) != here.contains(member))
                            .map(other -> other.place().source())
                            .collect(Collectors.toSet()));
        }
        isolated = here;
    }

    /** Ends the effect of {@link #isolate}. */
    public void heal() {
        isolated = Set.of();
        members.forEach(member -> member.place().unhear(Set.of()));
    }

    // Slots.

    /** Moves a slot with its keys, one after the other, as {@code redis-cli --cluster reshard} does. Returns when all servers know it. */
    public void moveSlot(int slot, RedisServer to) {
        SlotMove move = beginMove(slot, to);
        move.moveKeys();
        move.end();
    }

    /** Begins to move a slot: new keys are made at its target, those that are there stay until they are moved. */
    public SlotMove beginMove(int slot, RedisServer to) {
        RedisServer from = primaryOf(slot);
        if (from.equals(to)) {
            throw new IllegalArgumentException("the server on port " + to.port() + " has the slot " + slot);
        }
        require(to, "CLUSTER", "SETSLOT", Integer.toString(slot), "IMPORTING", idOf(from));
        require(from, "CLUSTER", "SETSLOT", Integer.toString(slot), "MIGRATING", idOf(to));
        return new SlotMove(this, slot, from, to);
    }

    /** Whether these servers move a slot with all its keys at once: Valkey 9 and newer do. */
    public boolean movesAtomically() {
        return ask(servers().get(0), "CLUSTER", "HELP").stream().anyMatch(line -> line.startsWith("MIGRATESLOTS"));
    }

    /**
     * Moves a slot with all its keys at once. Returns when all servers know it.
     *
     * @throws IllegalStateException if the servers cannot ({@link #movesAtomically})
     */
    public void moveSlotAtomically(int slot, RedisServer to) {
        String text = Integer.toString(slot);
        require(primaryOf(slot), "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", text, text, "NODE", idOf(to));
        awaitOwner(slot, to);
    }

    /** Has a server take a slot without its keys: the others hear of it, and the one that had it drops its keys then. Returns when all servers know it. */
    public void takeSlot(int slot, RedisServer to) {
        RedisServer from = primaryOf(slot);
        String text = Integer.toString(slot);
        // A server that imports a slot takes it with a new epoch, by which the others believe it.
        require(to, "CLUSTER", "SETSLOT", text, "IMPORTING", idOf(from));
        require(to, "CLUSTER", "SETSLOT", text, "NODE", idOf(to));
        awaitOwner(slot, to);
    }

    /** Takes a slot from its server, which keeps its keys, and gives it to another one, which does not have them. Returns when all servers know it. */
    public void reassignSlot(int slot, RedisServer to) {
        reassignSlots(Set.of(slot), to);
    }

    /** As {@link #reassignSlot}, of some slots of one server. */
    public void reassignSlots(Set<Integer> slots, RedisServer to) {
        RedisServer from = primaryOf(slots.iterator().next());
        String[] numbers = slots.stream().map(slot -> Integer.toString(slot)).toArray(String[]::new);
        require(from, of("DELSLOTS", numbers));
        if (!to.equals(from)) {
            // It may have heard of it meanwhile.
            ask(to, of("DELSLOTS", numbers));
        }
        require(to, of("ADDSLOTS", numbers));
        ask(to, "CLUSTER", "BUMPEPOCH");
        awaitOwner(slots, to);
    }

    private static String[] of(String command, String[] slots) {
        return Stream.concat(Stream.of("CLUSTER", command), Stream.of(slots)).toArray(String[]::new);
    }

    void awaitOwner(int slot, RedisServer owner) {
        awaitOwner(Set.of(slot), owner);
    }

    private void awaitOwner(Set<Integer> slots, RedisServer owner) {
        String id = idOf(owner);
        await(
                "not all servers know that the server on port " + owner.port() + " has the slots " + slots,
                () -> agreed().filter(view -> slots.stream()
                                .allMatch(slot -> view.ownerOf(slot)
                                        .filter(node -> node.id().equals(id))
                                        .isPresent()))
                        .isPresent());
    }

    // Failovers.

    /**
     * Has a replica take the place of its primary, and waits until all servers know it.
     *
     * @param how see there
     */
    public void failOver(RedisServer replica, Failover how) {
        String[] words = how == Failover.ORDERLY
                ? new String[] {"CLUSTER", "FAILOVER"}
                : new String[] {"CLUSTER", "FAILOVER", how.name()};
        require(replica, words);
        String id = idOf(replica);
        await(
                "not all servers know the server on port " + replica.port() + " as a primary",
                () -> agreed().filter(view -> view.primaries().stream()
                                .anyMatch(node -> node.id().equals(id)))
                        .isPresent());
    }

    /**
     * Waits until all servers know another primary in the place of one that was killed or frozen.
     *
     * @return the new primary
     */
    public RedisServer awaitFailover(RedisServer old) {
        String id = idOf(old);
        await(
                "the server on port " + old.port() + " has slots",
                () -> agreed().filter(view -> view.primaries().stream()
                                .noneMatch(node -> node.id().equals(id)))
                        .isPresent());
        // Its replicas are those of the new one.
        ClusterView view = awaitAgreement();
        String primary = memberOf(old).firstPrimary();
        return view.primaries().stream()
                .map(this::serverOf)
                .filter(server -> memberOf(server).firstPrimary().equals(primary))
                .findFirst()
                .orElseThrow(() -> failure("no replica has taken the place of the server on port " + old.port()));
    }

    /** Waits until every replica has the data of its primary, and all servers find the Cluster in order. */
    public void awaitReplicas() {
        await("the Cluster is not in order", this::isInOrder);
    }

    // Servers that come and go.

    /** Adds a primary without slots. Returns when all servers know it. */
    public RedisServer addPrimary() {
        return join(null);
    }

    /** Adds a replica. Returns when all servers know it and it has the data of its primary. */
    public RedisServer addReplicaOf(RedisServer primary) {
        RedisServer replica = join(primary);
        require(replica, "CLUSTER", "REPLICATE", idOf(primary));
        awaitReplicas();
        return replica;
    }

    private RedisServer join(@Nullable RedisServer primary) {
        String id = ClusterMember.newId();
        ClusterMember.Place place = ClusterMember.Place.reserve(settings.proxied, members.size());
        String alone = place.line(settings.host, id, true, "-", 0, "") + "vars currentEpoch 0 lastVoteEpoch 0\n";
        ClusterMember member =
                start(place, id, primary == null ? id : memberOf(primary).firstPrimary(), alone);
        String port = Integer.toString(member.announcedPort());
        String bus = Integer.toString(place.announcedBus());
        members.stream()
                .filter(other -> !other.equals(member) && isHeard(other))
                .forEach(other -> require(other.server(), "CLUSTER", "MEET", settings.host, port, bus));
        await(
                "not all servers know the server on port " + port,
                () -> agreed().filter(view -> view.nodes().size() == members.size())
                        .isPresent());
        awaitReplicas(); // a new primary takes no keys for two seconds
        return member.server();
    }

    /**
     * Removes a server that has no slots, and ends it. Returns when no other server knows it.
     *
     * @throws IllegalStateException if it has slots
     */
    public void remove(RedisServer server) {
        ClusterMember member = memberOf(server);
        if (primaries().contains(server)) {
            throw new IllegalStateException("the server on port " + server.port() + " has slots");
        }
        members.remove(member);
        member.close();
        members.stream().filter(this::isHeard).forEach(other -> ask(other.server(), "CLUSTER", "FORGET", member.id()));
        await(
                "a server still knows the one on port " + server.port(),
                () -> agreed().filter(view -> !view.nodes().containsKey(member.id()))
                        .isPresent());
    }

    /** Kills all servers, and closes the proxies. A second call does nothing. */
    @Override
    public void close() {
        members.forEach(ClusterMember::close);
    }

    // What servers say.

    /** What all servers know, as soon as they agree. */
    private ClusterView awaitAgreement() {
        await("the servers do not agree", () -> agreed().isPresent());
        return agreed().orElseGet(this::awaitAgreement);
    }

    private Optional<ClusterView> agreed() {
        ClusterView first = null;
        for (ClusterMember member : members) {
            if (isHeard(member)) {
                List<String> answer = member.server().askWithPassword(settings.password, "CLUSTER", "NODES");
                if (answer.size() != 1 || answer.get(0).startsWith("-")) {
                    return Optional.empty();
                }
                ClusterView view = ClusterView.parse(answer.get(0));
                if (view.isJoining() || (first != null && !view.agreesWith(first))) {
                    return Optional.empty();
                }
                first = view;
            }
        }
        return Optional.ofNullable(first);
    }

    private boolean isHeard(ClusterMember member) {
        return member.server().mayAnswer() && !isolated.contains(member);
    }

    private boolean isInOrder() {
        ClusterView view = agreed().orElse(null);
        return view != null
                && members.stream()
                        .filter(this::isHeard)
                        .map(ClusterMember::server)
                        .allMatch(server -> says(server, "cluster_state:ok", "CLUSTER", "INFO")
                                && isCopy(
                                        server,
                                        Objects.requireNonNull(view.nodes().get(idOf(server))),
                                        view));
    }

    private boolean isCopy(RedisServer server, ClusterView.Node node, ClusterView view) {
        ClusterView.Node primary = view.nodes().get(node.primary());
        return node.isPrimary()
                || primary == null
                || !isHeard(memberOf(serverOf(primary)))
                || (says(server, "master_port:" + portOf(serverOf(primary)), "INFO", "replication")
                        && says(server, "master_link_status:up", "INFO", "replication"));
    }

    private boolean says(RedisServer server, String line, String... words) {
        List<String> answer = ask(server, words);
        return answer.size() == 1 && answer.get(0).lines().anyMatch(line::equals);
    }

    private String askAny(String... words) {
        return members.stream()
                .filter(this::isHeard)
                .map(member -> ask(member.server(), words))
                .filter(answer -> answer.size() == 1 && !answer.get(0).startsWith("-"))
                .map(answer -> answer.get(0))
                .findFirst()
                .orElseThrow(() -> failure("no server answers " + String.join(" ", words)));
    }

    List<String> ask(RedisServer server, String... words) {
        return server.askWithPassword(settings.password, words);
    }

    /** As {@link #ask}, where only OK is an answer. */
    void require(RedisServer server, String... words) {
        List<String> answer = ask(server, words);
        if (!answer.equals(List.of("OK"))) {
            throw failure(
                    "the server on port " + server.port() + " answers " + answer + " to " + String.join(" ", words));
        }
    }

    String password() {
        return settings.password;
    }

    private RedisServer serverOf(ClusterView.Node node) {
        return members.stream()
                .filter(member -> member.id().equals(node.id()))
                .map(ClusterMember::server)
                .findFirst()
                .orElseThrow(() -> failure("an unknown server " + node));
    }

    private ClusterMember memberOf(RedisServer server) {
        return members.stream()
                .filter(member -> member.server().equals(server))
                .findFirst()
                .orElseThrow(() ->
                        new IllegalArgumentException("the server on port " + server.port() + " is not in the Cluster"));
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

    IllegalStateException failure(String message) {
        return new IllegalStateException(servers().stream()
                .map(server -> "the log of the server on port " + server.port() + ":\n" + server.logTail())
                .collect(Collectors.joining("\n", message + "; ", "")));
    }

    // The start.

    private ClusterMember start(ClusterMember.Place place, String id, String firstPrimary, String nodes) {
        try {
            List<String> directives = new ArrayList<>(settings.directives(place.port()));
            directives.addAll(place.directives(settings.host, !settings.tls.isEmpty()));
            ClusterMember member = new ClusterMember(
                    RedisServer.startClusterNode(settings.host, place.port(), directives, nodes, servers()),
                    place,
                    id,
                    firstPrimary);
            members.add(member);
            return member;
        } catch (RuntimeException e) {
            place.close();
            throw e;
        }
    }

    /** Settings of a Cluster. Not thread-safe. */
    public static final class Builder {
        private int primaries = 3;
        private int replicas = 1;
        private Duration nodeTimeout = Duration.ofSeconds(1);
        private String host = LoopbackPort.HOST;
        private String password = "";
        private boolean proxied;
        private final List<String> directives = new ArrayList<>();
        private final List<String> tls = new ArrayList<>();

        private Builder() {}

        /** How many primaries share the slots, 3 by default. With fewer, none is replaced that fails. */
        public Builder primaries(int primaries) {
            this.primaries = atLeast(1, primaries);
            return this;
        }

        /** How many replicas each primary has, 1 by default. Without any, the start takes two seconds longer. */
        public Builder replicas(int replicas) {
            this.replicas = atLeast(0, replicas);
            return this;
        }

        /** How long a server must be silent until the others hold it to be down ({@code cluster-node-timeout}); 1 s by default. */
        public Builder nodeTimeout(Duration nodeTimeout) {
            this.nodeTimeout = nodeTimeout;
            return this;
        }

        /** The password of the servers, for clients and replicas; none by default. */
        public Builder password(String password) {
            this.password = Objects.requireNonNull(password);
            return this;
        }

        /**
         * TLS instead of plain text, for clients, replication and among the servers; no client needs a certificate.
         *
         * @param certificate of the servers, PEM
         * @param key of the certificate, PEM
         * @param authority the certificate that the others trust, PEM
         */
        public Builder tls(Path certificate, Path key, Path authority) {
            tls.clear();
            tls.addAll(List.of(
                    "port 0",
                    "tls-cert-file " + certificate.toAbsolutePath(),
                    "tls-key-file " + key.toAbsolutePath(),
                    "tls-ca-cert-file " + authority.toAbsolutePath(),
                    "tls-auth-clients no",
                    "tls-replication yes",
                    "tls-cluster yes"));
            return this;
        }

        /**
         * On ::1 instead of 127.0.0.1, where {@link #hasIpv6} says that there is one. Not with {@linkplain #proxied proxies}, which have IPv4 addresses.
         */
        public Builder ipv6() {
            this.host = LoopbackPort.HOST_6;
            return this;
        }

        /** Whether this machine has the address ::1. */
        public static boolean hasIpv6() {
            return LoopbackPort.hasIpv6();
        }

        /** Puts a {@link FaultProxy} before every server, whose address the others name. */
        public Builder proxied() {
            this.proxied = true;
            return this;
        }

        /** Further lines of the {@code redis.conf} of every server. */
        public Builder directives(String... lines) {
            directives.addAll(List.of(lines));
            return this;
        }

        /**
         * Starts all servers, and waits until every replica has its primary's data, and all servers find the Cluster in order.
         *
         * @throws IllegalStateException if a server does not answer; the message ends with its log
         */
        public RedisCluster start() {
            OperatingSystem.requireUnix("Redis");
            RedisCluster cluster = new RedisCluster(this);
            try {
                startMembers(cluster);
                cluster.takeOver();
                cluster.awaitReplicas();
                return cluster;
            } catch (RuntimeException e) {
                cluster.close();
                throw e;
            }
        }

        /** Starts the servers with what they know of each other in their files. */
        private void startMembers(RedisCluster cluster) {
            int count = primaries * (1 + replicas);
            List<ClusterMember.Place> places = new ArrayList<>();
            List<String> ids = new ArrayList<>();
            try {
                for (int i = 0; i < count; i++) {
                    places.add(ClusterMember.Place.reserve(proxied, i));
                    ids.add(ClusterMember.newId());
                }
                // Those that begin as primaries first: the others would find them away, and wait for a second.
                for (int i = count - 1; i >= 0; i--) {
                    cluster.start(places.get(i), ids.get(i), ids.get(i % primaries), fileOf(i, places, ids));
                }
                cluster.members.sort(Comparator.comparingInt(member -> ids.indexOf(member.id())));
            } catch (RuntimeException e) {
                places.forEach(ClusterMember.Place::close);
                throw e;
            }
        }

        /**
         * What a server knows of all. A server that is started as a primary waits for two seconds until it takes writes, and one that becomes a primary does
         * not: where there are replicas, the primaries begin as replicas of theirs.
         */
        private String fileOf(int own, List<ClusterMember.Place> places, List<String> ids) {
            StringBuilder file = new StringBuilder();
            int first = replicas == 0 ? 0 : primaries; // of those that begin as primaries
            for (int i = 0; i < places.size(); i++) {
                int share = i % primaries;
                boolean isPrimary = i >= first && i < first + primaries;
                String slots = SLOTS * share / primaries + "-" + (SLOTS * (share + 1) / primaries - 1);
                file.append(places.get(i)
                        .line(
                                host,
                                ids.get(i),
                                i == own,
                                isPrimary ? "-" : ids.get(first + share),
                                share + 1,
                                isPrimary ? slots : ""));
            }
            return file.append("vars currentEpoch " + primaries + " lastVoteEpoch 0\n")
                    .toString();
        }

        private List<String> directives(LoopbackPort port) {
            List<String> all = new ArrayList<>(List.of("cluster-node-timeout " + nodeTimeout.toMillis()));
            if (!tls.isEmpty()) {
                all.add("tls-port " + port.number());
                all.addAll(tls);
            }
            if (!password.isEmpty()) {
                all.add("requirepass " + password);
                all.add("masterauth " + password);
            }
            all.addAll(directives);
            return all;
        }

        private static int atLeast(int least, int number) {
            if (number < least) {
                throw new IllegalArgumentException(number + " is less than " + least);
            }
            return number;
        }
    }

    private void takeOver() {
        if (settings.replicas > 0) {
            for (ClusterMember member : members.subList(0, settings.primaries)) {
                await(
                        "the Cluster is not in order",
                        () -> says(member.server(), "cluster_state:ok", "CLUSTER", "INFO"));
                // One after the other: each takes an epoch that no other has.
                failOver(member.server(), Failover.TAKEOVER);
            }
        }
    }
}
