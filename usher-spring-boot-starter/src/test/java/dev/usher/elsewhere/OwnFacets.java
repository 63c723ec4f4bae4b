package dev.usher.elsewhere;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserSource;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;

/** An application with its own facet, whose class is package-private. */
@Configuration(proxyBeanMethods = false)
@Import(OwnFacets.Consumer.class)
public class OwnFacets {

    private static final UUID ANN = UUID.randomUUID();
    private static final Badges BADGES = new Badges(List.of(new Badge("early")));

    record Badge(String name) {}

    record Badges(List<Badge> badges) {}

    record Consumer(UserCache<UUID, Badges> badges) {}

    @Bean
    Facet<Badges> badges() {
        return Facet.of("badges", Badges.class);
    }

    @Bean
    UserSource<UUID, Badges> badgeSource() {
        return ids -> Map.of(ANN, BADGES);
    }

    /** The classes that are written as JSON. */
    public static List<Class<?>> valueTypes() {
        return List.of(Badges.class, Badge.class);
    }

    /** Reads from the cache that was injected into a bean. */
    public static void check(BeanFactory application) {
        Consumer consumer = application.getBean(Consumer.class);
        assertThat(consumer.badges.find(ANN)).contains(BADGES);
        assertThat(consumer.badges.idOf(ANN.toString())).isEqualTo(ANN);
        assertThat(application.getBean("badgesUserCache")).isSameAs(consumer.badges);
    }
}
