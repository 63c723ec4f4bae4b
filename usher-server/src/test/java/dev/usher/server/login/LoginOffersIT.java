package dev.usher.server.login;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.FaultProxy.Direction;
import io.lettuce.core.api.sync.RedisCommands;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The rows that logins and registrations offer to the caches, on a Redis whose answers are held back. */
class LoginOffersIT {

    private static FaultProxy proxy;
    private static Node node;

    private final RedisCommands<String, String> redis = Shared.redis();

    @BeforeAll
    static void start() {
        proxy = FaultProxy.inFrontOf(Shared.REDIS.host(), Shared.REDIS.port());
        node = Node.start(
                "redis://" + proxy.host() + ":" + proxy.port(),
                Node.newDatabase(),
                // The attempts are counted in Redis as well, and would be waited for.
                Node.with(
                        Shared.SETTINGS,
                        Map.of("usher.server.attempts.per-mobile", "0", "usher.key-prefix", "offers")));
    }

    @AfterAll
    static void stop() {
        node.close();
        proxy.close();
    }

    @Test
    void aLoginIsAnsweredBeforeRedisHasTakenItsRow() {
        User ann = node.register();
        forget(ann.id());
        long stored = stored();
        proxy.freeze(Direction.TO_CLIENT);
        try {
            ann.login();
            await().until(() -> isCached(ann.id()));
            assertThat(stored()).as("before the answers of Redis").isEqualTo(stored);
        } finally {
            proxy.thaw(Direction.TO_CLIENT);
        }
        await().untilAsserted(() -> assertThat(stored()).isEqualTo(stored + 2));
    }

    @Test
    void theOffersOfARegistrationGoTogether() {
        Map<String, String> body = Map.of("mobile", Node.newMobile(), "password", Node.PASSWORD, "name", "Ann");
        long next = node.register().id() + 1;
        long stored = stored();
        proxy.freeze(Direction.TO_CLIENT);
        CompletableFuture<Answer> registration;
        try {
            registration = CompletableFuture.supplyAsync(
                    () -> node.post("/v1/users", body, null), task -> new Thread(task, "caller").start());
            await().until(() -> isCached(next));
            assertThat(registration).as("waits for both answers").isNotDone();
        } finally {
            proxy.thaw(Direction.TO_CLIENT);
        }
        assertThat(registration.join().with(201).json().path("id").asLong()).isEqualTo(next);
        assertThat(stored()).isEqualTo(stored + 2);
    }

    private boolean isCached(long id) {
        return redis.exists("offers:" + id + ":profile", "offers:" + id + ":status") == 2;
    }

    /** As if both had expired long ago. */
    private void forget(long id) {
        for (String key : new String[] {"offers:" + id + ":profile", "offers:" + id + ":status"}) {
            redis.del(key, "{" + key + "}:guard");
        }
    }

    private static long stored() {
        return node.bean(UserProfileCache.class).stats().offersStored()
                + node.bean(UserStatusCache.class).stats().offersStored();
    }
}
