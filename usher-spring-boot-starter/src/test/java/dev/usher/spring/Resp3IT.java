package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.CachesHealth;
import dev.usher.UserCaches;
import dev.usher.testkit.RedisServer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Configuration;

/** A start on a Redis that cannot push invalidations. */
@ExtendWith(OutputCaptureExtension.class)
class Resp3IT {

    private static RedisServer old;

    private final ApplicationContextRunner runner = new ApplicationContextRunner()
            .withConfiguration(AutoConfigurations.of(UsherAutoConfiguration.class, Resp3AutoConfiguration.class))
            // The first calls of a JVM can take longer than the default timeout.
            .withPropertyValues("usher.redis.command-timeout=5s");

    @BeforeAll
    static void startRedis() {
        old = RedisServer.start("rename-command HELLO \"\"");
    }

    @AfterAll
    static void stopRedis() {
        old.close();
    }

    @Test
    void theStartFailsAndSaysWhy(CapturedOutput log) {
        assertThatThrownBy(() -> new SpringApplicationBuilder(Usher.class)
                        .web(WebApplicationType.NONE)
                        .registerShutdownHook(false)
                        .run("--spring.main.banner-mode=off", "--spring.data.redis.url=" + old.uri()))
                .hasRootCauseInstanceOf(PushlessRedisException.class);

        assertThat(log)
                .contains("APPLICATION FAILED TO START")
                .contains("speaks RESP2 only")
                .contains("usher.redis.require-resp3=false");
    }

    @Test
    void aSettingAcceptsARedisWithoutResp3() {
        runner.withPropertyValues("spring.data.redis.url=" + old.uri(), "usher.redis.require-resp3=false")
                .run(context -> {
                    CachesHealth health = context.getBean(UserCaches.class).health();
                    assertThat(health.resp2Only()).isTrue();
                    assertThat(health.nearOpen()).isFalse();
                });
    }

    @Test
    void aRedisThatForbidsTrackingDoesNotFailTheStart() {
        try (RedisServer strict = RedisServer.start("user default on nopass ~* &* +@all -client")) {
            runner.withPropertyValues("spring.data.redis.url=" + strict.uri()).run(context -> {
                assertThat(context).hasNotFailed();
                CachesHealth health = context.getBean(UserCaches.class).health();
                assertThat(health.nearOpen()).isFalse();
                assertThat(health.resp2Only()).isFalse();
            });
        }
    }

    @Test
    void anUnreachableRedisDoesNotFailTheStart() {
        runner.withPropertyValues("spring.data.redis.url=redis://127.0.0.1:1")
                .run(context -> assertThat(context).hasNotFailed());
    }

    @Test
    void aRedisWithResp3DoesNotFailTheStart() {
        try (RedisServer current = RedisServer.start()) {
            runner.withPropertyValues("spring.data.redis.url=" + current.uri())
                    .run(context -> assertThat(context).hasNotFailed());
        }
    }

    @Test
    void withoutCachesNothingIsAsked() {
        runner.withPropertyValues("spring.data.redis.url=" + old.uri(), "usher.enabled=false")
                .run(context -> assertThat(context).hasNotFailed());
    }

    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration({UsherAutoConfiguration.class, Resp3AutoConfiguration.class})
    static class Usher {}
}
