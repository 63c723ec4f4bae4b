package dev.usher.recipes;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import java.util.HashMap;
import java.util.Map;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.core.simple.JdbcClient;

/** A profile that is put together from two tables. */
@Configuration(proxyBeanMethods = false)
class SourceByHand {

    @Bean
    UserSource<Long, UserProfile> profiles(JdbcClient jdbc) {
        return ids -> {
            Map<Long, UserProfile> found = new HashMap<>();
            jdbc.sql("SELECT id, mobile, name, address FROM accounts LEFT JOIN photos USING (id) WHERE id IN (:ids)")
                    .param("ids", ids)
                    .withQueryTimeout(2)
                    .query(row -> {
                        found.put(
                                row.getLong("id"),
                                UserProfile.ofNullable(
                                        row.getString("mobile"),
                                        row.getString("name"),
                                        row.getString("address"),
                                        false,
                                        null,
                                        null));
                    });
            return found; // a user that is not in it does not exist, and is cached as absent
        };
    }
}
