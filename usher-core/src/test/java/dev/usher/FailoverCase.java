package dev.usher;

import dev.usher.testkit.RedisServer;
import dev.usher.testkit.SentinelGroup;
import java.time.Duration;

/** A way in which a primary is replaced, or loses a replica. */
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
    };

    /** What the nodes are connected to. */
    enum Servers {
        SENTINELS,
        SLOW_SENTINELS,
        PROXIED_SENTINELS,
        ENDPOINT
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

    /** Whether there is another primary then. */
    boolean replaces() {
        return true;
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
