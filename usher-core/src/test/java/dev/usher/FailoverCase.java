package dev.usher;

import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisCluster.Failover;
import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SentinelGroup;
import dev.usher.testkit.SlotMove;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A way in which a primary is replaced, loses a replica, or loses slots. */
enum FailoverCase {
    PRIMARY_KILLED("the primary is killed", Servers.SENTINELS) {
        @Override
        long happen(FailoverSite site) {
            return site.untilReplaced(() -> site.group().primary().kill());
        }
    },

    FAILOVER_ASKED_FOR("a failover is asked for (SENTINEL FAILOVER)", Servers.SENTINELS) {
        @Override
        long happen(FailoverSite site) {
            return site.untilReplaced(() -> site.group().failOver());
        }
    },

    PRIMARY_FROZEN("the primary is frozen, replaced, and thawed", Servers.SENTINELS) {
        @Override
        long happen(FailoverSite site) {
            RedisServer old = site.group().primary();
            long replacedAt = site.untilReplaced(old::freeze);
            old.thaw();
            return replacedAt;
        }
    },

    PRIMARY_ALONE("the network parts the primary from all others", Servers.PROXIED_SENTINELS) {
        @Override
        long happen(FailoverSite site) {
            SentinelGroup group = site.group();
            return site.untilReplaced(() -> group.isolate(group.primary()));
        }

        @Override
        void end(FailoverSite site) {
            site.group().heal();
        }
    },

    MINORITY_WITH_A_REPLICA(
            "the network parts the primary, a replica and a Sentinel from all others", Servers.PROXIED_SENTINELS) {
        @Override
        long happen(FailoverSite site) {
            SentinelGroup group = site.group();
            RedisServer beside = group.replicas().get(0);
            return site.untilReplaced(() ->
                    group.isolate(group.primary(), beside, group.sentinels().get(0)));
        }

        @Override
        void end(FailoverSite site) {
            site.group().heal();
        }
    },

    REPLICA_RESTARTED("a replica is killed and comes back empty", Servers.SENTINELS) {
        @Override
        long happen(FailoverSite site) {
            RedisServer replica = site.group().replicas().get(0);
            long killedAt = System.nanoTime();
            replica.kill();
            replica.restart();
            site.group().awaitReplicas();
            return killedAt;
        }

        @Override
        boolean replaces() {
            return false;
        }
    },

    ANNOUNCER_LOST("the primary loses its last bans, and the node that has banned is killed", Servers.SLOW_SENTINELS) {
        @Override
        long happen(FailoverSite site) {
            SentinelGroup group = site.group();
            RedisServer old = group.primary();
            site.ask(0, "quiet");
            return site.untilReplaced(() -> {
                // The primary confirms the bans, and no replica gets them.
                group.isolate(old);
                site.ask(0, "banLast");
                site.killNode(0);
                old.kill();
            });
        }

        // The users are in quarantine for ten seconds, and no node sends the lost fences again.
        @Override
        Duration lasts(FailoverRun run, Duration sinceBegin) {
            Duration left = Duration.ofSeconds(9).minus(sinceBegin);
            return left.isNegative() ? Duration.ZERO : left;
        }

        @Override
        boolean settles() {
            return false;
        }
    },

    ENDPOINT_MOVED("a name leads to another primary, and one node stays with the old one", Servers.ENDPOINT) {
        @Override
        long happen(FailoverSite site) {
            long movedAt = site.endpoint().move();
            site.endpoint().cut(0);
            site.endpoint().cut(1);
            return movedAt;
        }

        @Override
        void end(FailoverSite site) {
            site.endpoint().cut(2);
        }
    },

    ENDPOINT_HALF_MOVED("a name leads to another primary, and one node reads from the old one", Servers.ENDPOINT) {
        @Override
        long happen(FailoverSite site) {
            long movedAt = site.endpoint().move();
            site.endpoint().cut(0);
            site.endpoint().cut(1);
            site.endpoint().cutAllButTracked(2);
            return movedAt;
        }

        @Override
        void end(FailoverSite site) {
            site.endpoint().cut(2);
        }

        @Override
        boolean isGateFenced() {
            return true;
        }
    },

    SLOTS_MOVED("slots of a Cluster are moved key by key", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer from = site.otherThan(site.primaryOfRegister());
            Map<Integer, List<String>> slots = site.slotsWithUsers(from, USERS);
            RedisServer to = site.otherThan(from);
            long began = System.nanoTime();
            List<SlotMove> moves = slots.keySet().stream()
                    .map(slot -> site.cluster().beginMove(slot, to))
                    .toList();
            for (SlotMove move : moves) {
                for (String key : Objects.requireNonNull(slots.get(move.slot()))) {
                    site.pause(BETWEEN_KEYS);
                    move.moveKeys(key);
                }
            }
            site.requireConfirmed(slots.keySet(), began);
            moves.forEach(move -> {
                move.moveKeys();
                move.end();
            });
            return System.nanoTime();
        }
    },

    SLOTS_TAKEN("slots of a Cluster are taken without their keys", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer from = site.otherThan(site.primaryOfRegister());
            Map<Integer, List<String>> slots = site.slotsWithUsers(from, USERS);
            RedisServer to = site.otherThan(from);
            slots.keySet().forEach(slot -> {
                site.pause(BETWEEN_KEYS);
                site.cluster().takeSlot(slot, to);
            });
            return System.nanoTime();
        }
    },

    SLOTS_GIVEN_BACK(
            "slots of a Cluster are given away without their keys, and back to the primary that still has them, and a node is frozen",
            Servers.CLUSTER_IN_PARTS) {
        @Override
        long happen(FailoverSite site) {
            RedisServer from = site.otherThan(site.primaryOfRegister());
            Set<Integer> slots = site.slotsWithUsers(from, RedisCluster.SLOTS).keySet();
            RedisServer to = site.otherThan(from);
            site.cluster().reassignSlots(slots, to);
            site.pause(LAGS);
            // What it has changed meanwhile it announces again only when it goes on.
            site.freezeNode(0);
            CompletableFuture<Void> thawed = CompletableFuture.runAsync(
                    () -> site.thawNode(0),
                    CompletableFuture.delayedExecutor(FROZEN.toMillis(), TimeUnit.MILLISECONDS));
            site.cluster().reassignSlots(slots, from);
            while (!thawed.isDone()) {
                site.ask(1, "readChanged");
            }
            return System.nanoTime();
        }

        @Override
        boolean isJudgedByTime() {
            return false;
        }
    },

    THREE_RESHARDS("slots of a Cluster are moved three times in a row, the register's among them", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer first = site.primaryOfRegister();
            RedisServer second = site.otherThan(first);
            RedisServer third = site.otherThan(first, second);
            Set<Integer> slots =
                    new LinkedHashSet<>(site.slotsWithUsers(first, USERS / 2).keySet());
            slots.add(site.slotOfRegister());
            for (RedisServer to : List.of(second, third, first)) {
                slots.forEach(slot -> site.cluster().moveSlot(slot, to));
            }
            return System.nanoTime();
        }
    },

    CLUSTER_PRIMARY_KILLED("a primary of a Cluster, with the register, is killed", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer old = site.primaryOfRegister();
            site.probeOn(old);
            return site.untilReplaced(site.cluster().replicasOf(old), old::kill);
        }

        @Override
        void end(FailoverSite site) {
            site.restartKilled();
        }
    },

    CLUSTER_FAILOVER("a failover in a Cluster is asked for (CLUSTER FAILOVER), with the register", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer old = site.primaryOfRegister();
            site.probeOn(old);
            List<RedisServer> replicas = site.cluster().replicasOf(old);
            return site.untilReplaced(replicas, () -> site.cluster().failOver(replicas.get(0), Failover.ORDERLY));
        }
    },

    CLUSTER_PRIMARY_FROZEN("a primary of a Cluster is frozen, replaced, and thawed", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer old = site.otherThan(site.primaryOfRegister());
            site.probeOn(old);
            long replacedAt = site.untilReplaced(site.cluster().replicasOf(old), old::freeze);
            old.thaw();
            return replacedAt;
        }
    },

    CLUSTER_PRIMARY_ALONE(
            "the network parts a primary of a Cluster, with the register, and a replica takes its place at once",
            Servers.PROXIED_CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer old = site.primaryOfRegister();
            site.probeOn(old);
            List<RedisServer> replicas = site.cluster().replicasOf(old);
            return site.untilReplaced(replicas, () -> {
                site.cluster().isolate(old);
                site.cluster().failOver(replicas.get(0), Failover.FORCE);
                // It asks where the slots are, sooner than the others.
                site.disconnect(0, old);
            });
        }

        @Override
        void end(FailoverSite site) {
            site.cluster().heal();
            site.cluster().awaitReplicas();
        }
    },

    LAGGING_REPLICA_PROMOTED(
            "a primary of a Cluster is killed, and its replica lacks its last writes", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer old = site.otherThan(site.primaryOfRegister());
            site.probeOn(old);
            List<RedisServer> replicas = site.cluster().replicasOf(old);
            site.holdBack(replicas.get(0), old);
            site.pause(LAGS);
            return site.untilReplaced(replicas, old::kill);
        }

        @Override
        void end(FailoverSite site) {
            site.restartKilled();
        }
    },

    CLUSTER_DOWN_IN_PART(
            "a primary of a Cluster and its replica are killed, and come back empty", Servers.CLUSTER_IN_PARTS) {
        @Override
        long happen(FailoverSite site) {
            RedisServer primary = site.otherThan(site.primaryOfRegister());
            site.probeOn(primary);
            RedisServer replica = site.cluster().replicasOf(primary).get(0);
            replica.kill();
            primary.kill();
            site.pause(AWAY);
            primary.restart();
            replica.restart();
            site.cluster().awaitReplicas();
            return System.nanoTime();
        }
    },

    CLUSTER_DOWN("all servers of a Cluster are frozen, and thawed", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            List<RedisServer> servers = site.cluster().servers();
            servers.forEach(RedisServer::freeze);
            site.pause(AWAY);
            servers.forEach(RedisServer::thaw);
            site.cluster().awaitReplicas();
            return System.nanoTime();
        }

        // Their connections stand.
        @Override
        boolean replaces() {
            return false;
        }
    },

    PRIMARY_ADDED("a primary is added to a Cluster, gets slots, gives them back, and is removed", Servers.CLUSTER) {
        @Override
        long happen(FailoverSite site) {
            RedisServer from = site.primaryOfRegister();
            Map<Integer, List<String>> slots = site.slotsWithUsers(from, USERS / 2);
            RedisServer joined = site.cluster().addPrimary();
            slots.keySet().forEach(slot -> site.cluster().moveSlot(slot, joined));
            return System.nanoTime();
        }

        @Override
        void end(FailoverSite site) {
            List<RedisServer> servers = site.cluster().servers();
            RedisServer joined = servers.get(servers.size() - 1);
            RedisServer back = site.primaryOfRegister();
            site.cluster().slotsOf(joined).forEach(slot -> site.cluster().moveSlot(slot, back));
            site.cluster().remove(joined);
        }
    };

    /** {@code cluster-node-timeout}, where the network is parted. */
    static final Duration NODE_TIMEOUT = Duration.ofSeconds(3);

    /** Of so many users' slots, each in both facets, something happens to a slot: of those of one primary, which has a third of them. */
    private static final int USERS = 12;

    private static final Duration BETWEEN_KEYS = Duration.ofMillis(100);

    /** Longer than the bound of the gate. */
    private static final Duration LAGS = Duration.ofMillis(1500);

    /** Much shorter than a primary is suspect to which slots have come: there is time to announce again. */
    private static final Duration FROZEN = Duration.ofMillis(800);

    /** Longer than {@code cluster-node-timeout} and the bound of the gate. */
    private static final Duration AWAY = Duration.ofSeconds(3);

    /** What the nodes are connected to. */
    enum Servers {
        SENTINELS,
        SLOW_SENTINELS,
        PROXIED_SENTINELS,
        ENDPOINT,
        CLUSTER,

        /** A Cluster that answers for the slots that are there. */
        CLUSTER_IN_PARTS,

        /** A Cluster with two replicas of each primary, whose network can be parted, and a node timeout of three seconds. */
        PROXIED_CLUSTER
    }

    private final String what;
    private final Servers servers;

    FailoverCase(String what, Servers servers) {
        this.what = what;
        this.servers = servers;
    }

    /** Has it happen. Returns when the new primary answered first, in {@link System#nanoTime()}. */
    abstract long happen(FailoverSite site);

    /** Ends what still lasts. */
    void end(FailoverSite site) {}

    /**
     * How long it lasts, and the load goes on.
     *
     * @param sinceBegin for how long it has been happening
     */
    Duration lasts(FailoverRun run, Duration sinceBegin) {
        return run.after();
    }

    Servers servers() {
        return servers;
    }

    /** Whether calls are to be answered in time. */
    boolean isJudgedByTime() {
        return isFenced();
    }

    /** Whether there is another primary then. */
    boolean replaces() {
        return true;
    }

    boolean isOnCluster() {
        return servers == Servers.CLUSTER || servers == Servers.CLUSTER_IN_PARTS || servers == Servers.PROXIED_CLUSTER;
    }

    /** Whether no node believes a primary that has been replaced. */
    boolean isFenced() {
        return servers != Servers.ENDPOINT;
    }

    /** Whether that is so of the facet that fails closed. */
    boolean isGateFenced() {
        return isFenced();
    }

    /** Whether all nodes know the last version of each user in the end. */
    boolean settles() {
        return true;
    }

    @Override
    public String toString() {
        return what;
    }
}
