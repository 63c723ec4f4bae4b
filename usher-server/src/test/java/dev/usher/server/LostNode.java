package dev.usher.server;

import static org.awaitility.Awaitility.await;

import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.Map;

/** One more node beside a server that was alone, which is in the register and says nothing any more: as if it had just been killed. */
final class LostNode implements AutoCloseable {

    private final FaultProxy proxy;
    private final UserCaches caches;

    /** Returns when the node is in the register. */
    LostNode(String keyPrefix, RedisServer redis) {
        proxy = FaultProxy.inFrontOf(redis.host(), redis.port());
        caches = UserCaches.builder()
                .redis("redis://" + proxy.host() + ":" + proxy.port())
                .keyPrefix(keyPrefix)
                .build();
        User ann = server.register();
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(server.setStatus(ann.id(), "enabled")
                                .with(200)
                                .json()
                                .path("nodes_confirmed")
                                .size())
                        .isGreaterThan(1));
        proxy.freeze();
    }

    @Override
    public void close() {
        proxy.thaw();
        caches.close();
        proxy.close();
    }
}
