package dev.usher.spring;

import dev.usher.UserCaches;
import org.springframework.beans.factory.InitializingBean;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

/**
 * Fails the start of an application whose Redis cannot push invalidations: otherwise the only symptom would be slow reads.
 *
 * <p>An unreachable Redis does not fail the start, because its version is unknown. Neither does a Redis whose access rules
 * forbid tracking: the rules may change.
 */
@AutoConfiguration(after = UsherAutoConfiguration.class)
@ConditionalOnSingleCandidate(UserCaches.class)
@ConditionalOnBooleanProperty(name = "usher.redis.require-resp3", matchIfMissing = true)
public final class Resp3AutoConfiguration {

    @Bean
    InitializingBean usherResp3Check(UserCaches caches) {
        return () -> {
            if (caches.health().resp2Only()) {
                throw new PushlessRedisException();
            }
        };
    }
}
