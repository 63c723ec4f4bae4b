package dev.usher.server;

import static org.awaitility.Awaitility.await;

import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.Map;

/** One more node, which is in the register: until it falls silent, as if it had been killed, and for ten seconds more. */
public final class LostNode implements AutoCloseable {

    private final FaultProxy proxy;
    private final UserCaches caches;

    /** Returns when the node is in the register. */
    public LostNode(String keyPrefix, RedisServer redis) {
        proxy = FaultProxy.inFrontOf(redis.host(), redis.port());
        caches = UserCaches.builder()
                .redis("redis://" + proxy.host() + ":" + proxy.port())
                .keyPrefix(keyPrefix)
                .build();
        var unused = caches.cache(UserProfile.FACET, Long.class, ids -> Map.of());
        await().atMost(Duration.ofSeconds(30)).until(() -> caches.health().nearOpen());
    }

    public void fallSilent() {
        proxy.freeze();
    }

    @Override
    public void close() {
        proxy.thaw();
        caches.close();
        proxy.close();
    }
}
