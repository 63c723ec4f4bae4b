package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.CachesHealth;
import dev.usher.UserCaches;
import dev.usher.testkit.RedisServer;
import org.junit.jupiter.api.Test;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;

class UsherHealthIndicatorIT {

    @Test
    void itFollowsRedisDownAndUpAgain() {
        try (RedisServer redis = RedisServer.start();
                UserCaches caches = UserCaches.builder().redis(redis.uri()).build()) {
            UsherHealthIndicator indicator = new UsherHealthIndicator(caches::health, false);
            await().untilAsserted(() -> {
                assertThat(indicator.health().getStatus()).isEqualTo(Status.UP);
                assertThat(indicator.health().getDetails()).containsKey("watermarkAge");
            });

            redis.stop();

            await().untilAsserted(() -> {
                Health health = indicator.health();
                assertThat(health.getStatus()).isEqualTo(UsherHealthIndicator.DEGRADED);
                assertThat(health.getDetails())
                        .containsEntry("redis", CachesHealth.Redis.UNREACHABLE)
                        .containsEntry("nearOpen", false);
            });

            redis.restart();

            await().untilAsserted(
                            () -> assertThat(indicator.health().getStatus()).isEqualTo(Status.UP));
        }
    }
}
