package dev.usher;

import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.FaultProxy.Direction;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** A fault that lasts for a while, and is over when {@link #happen} returns. */
enum Fault {
    NOTHING("nothing goes wrong") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.letPass(length);
        }
    },

    REDIS_FROZEN("Redis is frozen") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.redis().forEach(RedisServer::freeze);
            site.letPass(length);
            site.redis().forEach(RedisServer::thaw);
        }
    },

    REDIS_KILLED("Redis is killed, and comes back empty") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.redis().forEach(RedisServer::kill);
            site.letPass(length);
            site.redis().forEach(RedisServer::restart);
        }
    },

    REDIS_BACK_IN_TIME("Redis is killed, and comes back with what it held a moment before") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.operators().forEach(each -> each.save());
            site.letPass(SHORTLY);
            site.redis().forEach(RedisServer::kill);
            site.letPass(length);
            site.redis().forEach(RedisServer::restart);
        }
    },

    COMMANDS_CUT("commands do not arrive") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.proxiesOfRedis().forEach(proxy -> proxy.freeze(Direction.TO_SERVER));
            site.letPass(length);
            site.proxiesOfRedis().forEach(FaultProxy::restore);
        }
    },

    REPLIES_CUT("replies do not arrive") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.proxiesOfRedis().forEach(proxy -> proxy.freeze(Direction.TO_CLIENT));
            site.letPass(length);
            site.proxiesOfRedis().forEach(FaultProxy::restore);
        }
    },

    DELAY("replies take 500 ms") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.proxiesOfRedis().forEach(proxy -> proxy.delay(Direction.TO_CLIENT, HALF_A_SECOND));
            site.letPass(length);
            site.proxiesOfRedis().forEach(FaultProxy::restore);
        }
    },

    SILENCE("connections are silent in both directions, and then go on") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.proxiesOfRedis().forEach(FaultProxy::freeze);
            site.letPass(length);
            site.proxiesOfRedis().forEach(FaultProxy::restore);
        }
    },

    HALF_OPEN("connections are half open: silent for ever, though new ones would work") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.proxiesOfRedis().forEach(FaultProxy::swallow);
            site.letPass(length);
        }
    },

    FLAPPING("the connections come and go every second") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.again(length, HALF_A_SECOND, () -> {
                site.proxiesOfRedis().forEach(FaultProxy::refuse);
                site.letPass(HALF_A_SECOND);
                site.proxiesOfRedis().forEach(FaultProxy::restore);
            });
        }
    },

    REPLY_CUT("connections end in the middle of a reply") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.again(
                    length,
                    SHORTLY,
                    () -> site.proxiesOfRedis()
                            .forEach(proxy -> proxy.cutAfter(
                                    Direction.TO_CLIENT,
                                    ThreadLocalRandom.current().nextInt(10, 500))));
            site.proxiesOfRedis().forEach(FaultProxy::restore);
        }
    },

    OOM("Redis has no memory left (OOM)") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.operators().forEach(each -> each.configSet("maxmemory", "1"));
            site.letPass(length);
            site.operators().forEach(each -> each.configSet("maxmemory", "0"));
        }
    },

    READONLY("Redis has become a replica (READONLY)") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.operators().forEach(each -> each.replicaof(site.redis().get(0).host(), UNUSED_PORT));
            site.letPass(length);
            site.operators().forEach(RedisCommands::replicaofNoOne);
        }
    },

    LOADING("Redis is restarted, and takes its time to load (LOADING)") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.restartLoading(length);
        }
    },

    NOAUTH("Redis has a password all of a sudden (NOAUTH)") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.operators().forEach(each -> each.configSet("requirepass", "secret"));
            site.killClients();
            site.letPass(length);
            site.operators().forEach(each -> each.configSet("requirepass", ""));
        }
    },

    NOPERM("Redis permits neither scripts nor tracking (NOPERM)") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.operators()
                    .forEach(each -> each.aclSetuser(
                            EVERYBODY,
                            AclSetuserArgs.Builder.removeCommand(CommandType.EVAL)
                                    .removeCommand(CommandType.EVALSHA)
                                    .removeCommand(CommandType.CLIENT)));
            site.killClients();
            site.letPass(length);
            site.operators().forEach(each -> each.aclSetuser(EVERYBODY, AclSetuserArgs.Builder.allCommands()));
        }
    },

    MAXCLIENTS("Redis takes no more clients (MAXCLIENTS)") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.operators().forEach(each -> each.configSet("maxclients", "1"));
            site.killClients();
            site.letPass(length);
            site.operators().forEach(each -> each.configSet("maxclients", "10000"));
        }
    },

    NOSCRIPT("Redis forgets its scripts all the time (NOSCRIPT)") {
        @Override
        void happen(FaultSite site, Duration length) {
            site.again(length, Duration.ofMillis(20), () -> site.operators().forEach(each -> each.scriptFlush()));
        }
    },

    DATABASE_KILLED("the database is killed, and started again", true) {
        @Override
        void happen(FaultSite site, Duration length) {
            site.database().kill();
            site.letPass(length);
            site.database().restart();
        }
    },

    DATABASE_FROZEN("the database is frozen", true) {
        @Override
        void happen(FaultSite site, Duration length) {
            site.database().freeze();
            // The source gives a query up after a second; the fault has to last longer than that.
            site.letPass(length.plusSeconds(1));
            site.database().thaw();
        }
    },

    BOTH_KILLED("Redis and the database are killed, and started again", true) {
        @Override
        void happen(FaultSite site, Duration length) {
            site.redis().forEach(RedisServer::kill);
            site.database().kill();
            site.letPass(length);
            site.database().restart();
            site.redis().forEach(RedisServer::restart);
        }
    },

    BOTH_CUT_OFF("some nodes reach neither Redis nor the database", true) {
        @Override
        void happen(FaultSite site, Duration length) {
            site.proxiesOfDatabase().forEach(FaultProxy::refuse);
            site.proxiesOfRedis().forEach(FaultProxy::refuse);
            site.letPass(length);
            site.proxiesOfRedis().forEach(FaultProxy::restore);
            site.proxiesOfDatabase().forEach(FaultProxy::restore);
        }
    };

    private static final Duration SHORTLY = Duration.ofMillis(100);
    private static final Duration HALF_A_SECOND = Duration.ofMillis(500);
    private static final int UNUSED_PORT = 1;
    private static final String EVERYBODY = "default";

    private final String what;
    private final boolean takesDatabase;

    Fault(String what) {
        this(what, false);
    }

    Fault(String what, boolean takesDatabase) {
        this.what = what;
        this.takesDatabase = takesDatabase;
    }

    /** Makes the fault last for about that time; everything is repaired when this returns. */
    abstract void happen(FaultSite site, Duration length);

    /** Whether it can be made on a Cluster: REPLICAOF is refused there, and a server that loads is a part of it only. */
    boolean isOfClusters() {
        return this != READONLY && this != LOADING;
    }

    /** Whether some nodes cannot reach the database meanwhile. */
    boolean takesDatabase() {
        return takesDatabase;
    }

    @Override
    public String toString() {
        return what;
    }
}
