package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.usher.redis.TestRedis;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A Redis whose reads work and whose writes are refused cannot take the fence of a ban: nodes notice, and ask the source. */
@Tag("servers")
class RefusedWritesIT extends NodesOnRedis {

    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED));

    /** Ways in which Redis refuses writes and answers reads. */
    enum Refusal {
        READONLY {
            @Override
            void begin() {
                redis.replicaof("127.0.0.1", 1);
            }

            @Override
            void end() {
                redis.replicaofNoOne();
            }
        },
        NOPERM {
            @Override
            void begin() {
                redis.aclSetuser(
                        "default",
                        AclSetuserArgs.Builder.removeCommand(CommandType.EVAL).removeCommand(CommandType.EVALSHA));
            }

            @Override
            void end() {
                redis.aclSetuser("default", AclSetuserArgs.Builder.allCommands());
            }
        },
        NOREPLICAS {
            @Override
            void begin() {
                redis.configSet("min-replicas-to-write", "1");
            }

            @Override
            void end() {
                redis.configSet("min-replicas-to-write", "0");
            }
        },
        MISCONF {
            @Override
            void begin() {
                redis.configSet("save", "3600 1");
                redis.set("unsaved", "1");
                redis.configSet("rdb-key-save-delay", "60000000"); // in microseconds
                redis.bgsave();
                await().until(() -> redis.info("persistence").contains("rdb_bgsave_in_progress:1"));
                ProcessHandle.of(server.pid()).orElseThrow().children().forEach(ProcessHandle::destroyForcibly);
                await().until(() -> redis.info("persistence").contains("rdb_last_bgsave_status:err"));
                redis.configSet("rdb-key-save-delay", "0");
            }

            @Override
            void end() {
                redis.configSet("save", "");
            }
        };

        abstract void begin();

        abstract void end();
    }

    @ParameterizedTest
    @EnumSource(Refusal.class)
    void aBannedUserIsLetInForNoLongerThanTheBound(Refusal refusal) {
        assumeFalse(
                TestRedis.isCluster() && (refusal == Refusal.READONLY || refusal == Refusal.MISCONF),
                "a Cluster refuses REPLICAOF, and one server that cannot save is not all of it");
        UserStatusCache<Long> here = node();
        UserStatusCache<Long> there = node();
        await().until(() -> answersFromMemory(here) && answersFromMemory(there));
        refusal.begin();
        try {
            long banned = System.nanoTime();
            RevocationReceipt receipt = here.disable(42L, () -> rows.put(42L, UserStatus.DISABLED));

            assertThat(receipt.confirmed()).isFalse();
            assertThat(receipt.redisError()).isEqualTo(refusal.name());
            assertThat(here.isEnabled(42L)).isFalse();
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(5))
                    .atMost(BOUND.plusMillis(500))
                    .until(() -> !there.isEnabled(42L));
            assertThat(redis.get("user:42:status")).as("what Redis says").isEqualTo("1");
            await().pollDelay(Duration.ZERO)
                    .pollInterval(Duration.ofMillis(5))
                    .failFast("let in again", () -> there.isEnabled(42L))
                    .until(() ->
                            System.nanoTime() - banned > BOUND.multipliedBy(2).toNanos());
        } finally {
            refusal.end();
        }
        await().until(() -> here.stats().pendingFences() == 0 && answersFromMemory(here) && answersFromMemory(there));
        assertThat(here.isEnabled(42L)).isFalse();
        assertThat(there.isEnabled(42L)).isFalse();
    }

    /** The heartbeat begins with a write that needs no memory. */
    @Test
    void aFullRedisIsBelieved() {
        UserStatusCache<Long> node = node();
        await().until(() -> answersFromMemory(node));
        redis.configSet("maxmemory", "1");
        try {
            long until = System.nanoTime() + BOUND.multipliedBy(2).toNanos();
            await().pollInterval(Duration.ofMillis(20))
                    .failFast("memory is closed", () -> !answersFromMemory(node))
                    .until(() -> System.nanoTime() - until > 0);
        } finally {
            redis.configSet("maxmemory", "0");
        }
    }

    private UserStatusCache<Long> node() {
        return new UserStatusCache<>(open(patient(uri())).cache(UserStatus.FACET, Long.class, this::load));
    }

    private Map<Long, UserStatus> load(Set<Long> ids) {
        return ids.stream().filter(rows::containsKey).collect(Collectors.toMap(id -> id, rows::get));
    }

    private static boolean answersFromMemory(UserStatusCache<Long> node) {
        node.isEnabled(42L);
        long before = node.stats().nearPresent();
        node.isEnabled(42L);
        return node.stats().nearPresent() > before;
    }
}
