package dev.usher.sample;

import dev.usher.CachePolicy;
import dev.usher.Facet;
import dev.usher.UserSource;
import dev.usher.spring.JdbcUserSource;
import java.time.Duration;
import javax.sql.DataSource;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** Makes a cache of the badges: a facet, and the source of its values. */
@Configuration(proxyBeanMethods = false)
class BadgesConfiguration {

    @Bean
    Facet<Badges> badges() {
        return Facet.of("badges", Badges.class).with(CachePolicy.of(Duration.ofMinutes(10)));
    }

    @Bean
    UserSource<Long, Badges> badgesSource(DataSource dataSource) {
        return JdbcUserSource.builder(dataSource, Long.class)
                .table("badges")
                .idColumn("user_id")
                .columns("karma", "title")
                .build((row, number) -> new Badges(row.getInt("karma"), row.getString("title")));
    }
}
