package dev.usher.spring;

import dev.usher.UserCaches;
import org.springframework.beans.factory.InitializingBean;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

/**
 * Fails the start of an application whose Redis cannot tell of changes: nobody would notice otherwise, but by how slow it is.
 *
 * <p>A Redis that is away is no reason to fail, for nothing is known of it; nor is one whose access rules forbid the tracking of
 * reads, which they may allow in a moment.
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
