package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

class UsherAutoConfigurationIT {

    @Test
    void theApplicationsOwnSettingsOfRedisAreUsed() {
        try (RedisServer redis = RedisServer.start("requirepass s3cret")) {
            new ApplicationContextRunner()
                    .withConfiguration(AutoConfigurations.of(UsherAutoConfiguration.class))
                    .withUserConfiguration(Source.class)
                    .withPropertyValues(
                            "spring.data.redis.host=" + redis.host(),
                            "spring.data.redis.port=" + redis.port(),
                            "spring.data.redis.password=s3cret",
                            "spring.data.redis.database=2",
                            "usher.key-prefix=tenant7",
                            // The first calls of a JVM can take longer than the default timeout.
                            "usher.redis.command-timeout=5s",
                            "usher.profile.ttl=10m",
                            "usher.profile.jitter=0")
                    .run(context -> {
                        assertThat(context.getBean(Caller.class).profiles.find(42L))
                                .isPresent();

                        String uri = "redis://:s3cret@" + redis.host() + ":" + redis.port() + "/2";
                        try (RedisClient client = RedisClient.create(uri);
                                StatefulRedisConnection<String, String> connection = client.connect()) {
                            await().until(() -> connection.sync().exists("tenant7:42:profile") == 1);
                            assertThat(connection.sync().get("tenant7:42:profile"))
                                    .isEqualTo("{\"mobile\":\"13800000000\",\"name\":\"Ann\",\"photo\":\"\","
                                            + "\"is_media\":false,\"intro\":\"\",\"certi\":\"\"}");
                            assertThat(connection.sync().ttl("tenant7:42:profile"))
                                    .isBetween(590L, 600L);
                        }
                    });
        }
    }

    record Caller(UserProfileCache<Long> profiles) {}

    @Configuration(proxyBeanMethods = false)
    static class Source {

        @Bean
        UserSource<Long, UserProfile> profiles() {
            return ids -> Map.of(42L, new UserProfile("13800000000", "Ann", "", false, "", ""));
        }

        @Bean
        Caller caller(UserProfileCache<Long> profiles) {
            return new Caller(profiles);
        }
    }
}
