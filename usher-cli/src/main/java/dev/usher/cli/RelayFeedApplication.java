package dev.usher.cli;

import dev.usher.UserCaches;
import dev.usher.relay.UsherRelayAutoConfiguration;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The feed of the relay by its settings, without Redis. */
@Configuration(proxyBeanMethods = false)
@ImportAutoConfiguration(UsherRelayAutoConfiguration.class)
class RelayFeedApplication {

    /** Asked for by nothing, so that it is never made: the relay is configured only where there are caches. */
    @Bean
    UserCaches caches() {
        throw new IllegalStateException("a feed by itself has no caches");
    }
}
