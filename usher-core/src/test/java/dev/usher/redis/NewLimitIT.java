package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.Heartbeat.Look;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;

/** A node that may answer for longer than its entry says would be taken out of the register too early. */
class NewLimitIT {

    @Test
    void aHeartbeatWithoutAnEntryCountsOnlyWhereTheEntrySaysAllLimits() {
        RedisClient client = RedisClient.create();
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1) {
            @Override
            public ScheduledFuture<?> scheduleAtFixedRate(Runnable task, long delay, long period, TimeUnit unit) {
                return schedule(() -> {}, 0, unit); // all heartbeats are the test's own
            }
        };
        try (RedisServer server = RedisServer.start();
                RedisPrimary node =
                        new RedisPrimary(settings(server), "user", "node", timer, size -> {}, new DeafListener())) {
            NodeRegister register = node.register();
            register.limit("status", Duration.ofSeconds(1));
            node.open();
            RedisAsyncCommands<String, byte[]> tracked = client.connect(
                            TextKeysCodec.INSTANCE, RedisURI.create(server.uri()))
                    .async();
            awaitHeartbeat(register, tracked);

            register.limit("mine", Duration.ofSeconds(30));

            Look look = register.look(tracked).toCompletableFuture().join();
            assertThat(look.isEntered()).isTrue();
            assertThat(look.isHeartbeat()).isFalse();
            awaitHeartbeat(register, tracked);
        } finally {
            timer.shutdownNow();
            client.shutdown(0, 2, TimeUnit.SECONDS);
        }
    }

    private static void awaitHeartbeat(NodeRegister register, RedisAsyncCommands<String, byte[]> tracked) {
        await().until(() -> {
            register.write().toCompletableFuture().join();
            return register.look(tracked).toCompletableFuture().join().isHeartbeat();
        });
    }

    private static RedisSettings settings(RedisServer server) {
        return new RedisSettings(
                RedisURI.create(server.uri()),
                ClientOptions.create(),
                Duration.ofSeconds(5),
                new RedisSettings.Times(
                        Duration.ofSeconds(10), Duration.ofSeconds(10), Duration.ofHours(24), Duration.ofSeconds(2)),
                Clock.systemUTC(),
                System::nanoTime,
                RedisSettings.AwaitReplicas.AUTO);
    }

    private static final class DeafListener implements RedisPrimary.Listener {

        @Override
        public void changed(String key) {}

        @Override
        public void notUnderstood(RuntimeException failure) {}

        @Override
        public void revoked(RevokedKeys users, IntConsumer processed) {
            processed.accept(0);
        }

        @Override
        public void disconnected(RedisPrimary primary) {}

        @Override
        public void identified(RedisPrimary primary, boolean hasAll) {}
    }
}
