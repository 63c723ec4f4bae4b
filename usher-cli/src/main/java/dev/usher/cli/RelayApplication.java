package dev.usher.cli;

import dev.usher.Facet;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.relay.UsherRelayAutoConfiguration;
import dev.usher.spring.UsherAutoConfiguration;
import java.util.List;
import java.util.stream.Stream;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;

/**
 * The relay by itself: usher's caches and its relay, as in any application, and nothing of a server. Its caches have no source, for nothing is read through
 * them.
 */
@Configuration(proxyBeanMethods = false)
@ImportAutoConfiguration({UsherAutoConfiguration.class, UsherRelayAutoConfiguration.class})
class RelayApplication {

    /** Which facets are invalidated. */
    static final String FACETS = "usher.relay.facets";

    private static final String SPECIFIED = "status,profile";

    /** The cache in whose facet users are revoked; and the caches of the other facets, which the relay finds by itself. */
    @Bean
    UserStatusCache<String> statuses(UserCaches caches, Environment environment) {
        List<String> facets = Stream.of(
                        environment.getProperty(FACETS, SPECIFIED).split(","))
                .map(String::strip)
                .distinct()
                .toList();
        try {
            var statuses = new UserStatusCache<>(caches.cache(
                    new Facet<>(facets.get(0), UserStatus.FACET.codec(), UserStatus.FACET.policy()),
                    String.class,
                    unread()));
            facets.stream()
                    .skip(1)
                    .forEach(facet -> caches.cache(Facet.of(facet, String.class), String.class, unread()));
            return statuses;
        } catch (IllegalArgumentException e) {
            throw new InvalidConfigurationPropertyValueException(
                    FACETS, String.join(",", facets), String.valueOf(e.getMessage()));
        }
    }

    private static <V> UserSource<String, V> unread() {
        return ids -> {
            throw new UnsupportedOperationException("the relay announces, and reads no users");
        };
    }
}
