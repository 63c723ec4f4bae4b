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
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;

/**
 * The relay by itself: usher's caches and its relay, as in any application, and nothing of a server. Its caches have no source, for nothing is read through
 * them.
 */
@Configuration(proxyBeanMethods = false)
@ImportAutoConfiguration({SslAutoConfiguration.class, UsherAutoConfiguration.class, UsherRelayAutoConfiguration.class})
class RelayApplication {

    /** Which facets are invalidated. */
    static final String FACETS = "usher.relay.facets";

    private static final String SPECIFIED = "status,profile";

    /**
     * The names of the facets.
     *
     * @throws InvalidConfigurationPropertyValueException when one is no such name
     */
    static List<String> facets(Environment environment) {
        String set = environment.getProperty(FACETS, "");
        List<String> facets = Stream.of((set.isBlank() ? SPECIFIED : set).split(",", -1))
                .map(String::strip)
                .distinct()
                .toList();
        try {
            facets.forEach(facet -> Facet.of(facet, String.class));
        } catch (IllegalArgumentException e) {
            throw new InvalidConfigurationPropertyValueException(
                    FACETS, String.join(",", facets), String.valueOf(e.getMessage()));
        }
        return facets;
    }

    /** The facet in which users are revoked that may not act any more: that of the status, and of a fleet without it the first. */
    static String revokedIn(List<String> facets) {
        String status = UserStatus.FACET.name();
        return facets.contains(status) ? status : facets.get(0);
    }

    /** The cache in whose facet users are revoked; and the caches of the other facets, which the relay finds by itself. */
    @Bean
    UserStatusCache<String> statuses(UserCaches caches, Environment environment) {
        List<String> facets = facets(environment);
        String revoked = revokedIn(facets);
        facets.stream()
                .filter(facet -> !facet.equals(revoked))
                .forEach(facet -> caches.cache(Facet.of(facet, String.class), String.class, unread()));
        return new UserStatusCache<>(caches.cache(
                new Facet<>(revoked, UserStatus.FACET.codec(), UserStatus.FACET.policy()), String.class, unread()));
    }

    private static <V> UserSource<String, V> unread() {
        return ids -> {
            throw new UnsupportedOperationException("the relay announces, and reads no users");
        };
    }
}
