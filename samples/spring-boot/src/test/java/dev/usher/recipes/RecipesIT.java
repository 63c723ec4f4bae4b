package dev.usher.recipes;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;

class RecipesIT {

    private static final UserProfile ANN = UserProfile.ofNullable("13800000000", "Ann", null, false, null, null);

    private static RedisServer redis;

    @BeforeAll
    static void start() {
        redis = RedisServer.start();
    }

    @AfterAll
    static void stop() {
        redis.close();
    }

    @Test
    void plainJava() {
        assertThat(PlainJava.greet(redis.uri(), ids -> Map.of(42L, ANN))).isEqualTo("Hello, Ann");
    }

    @Test
    void tenantsShareARedisAndNoKey() {
        try (TenantCaches tenants = new TenantCaches(redis.uri())) {
            UserCache<Long, UserProfile> ones =
                    tenants.of("one").cache(UserProfile.FACET, Long.class, ids -> Map.of(42L, ANN));
            UserCache<Long, UserProfile> others =
                    tenants.of("other").cache(UserProfile.FACET, Long.class, ids -> Map.of());

            assertThat(ones.find(42L)).contains(ANN);
            assertThat(others.find(42L)).isEmpty();
            assertThat(tenants.of("one")).isSameAs(tenants.of("one"));
        }
    }

    @Test
    void onlyWhoMayActIsAnswered() {
        try (UserCaches caches =
                UserCaches.builder().redis(redis.uri()).keyPrefix("both").build()) {
            TwoFacetsAtOnce both = new TwoFacetsAtOnce(
                    caches.cache(UserProfile.FACET, Long.class, ids -> only(ids, Map.of(42L, ANN, 43L, ANN))),
                    caches.cache(
                            UserStatus.FACET,
                            Long.class,
                            ids -> only(ids, Map.of(42L, UserStatus.ENABLED, 43L, UserStatus.DISABLED))));

            assertThat(both.ofWhoMayAct(42L)).contains(ANN);
            assertThat(both.ofWhoMayAct(43L)).isEmpty();
        }
    }

    @Test
    void aSourceByHandReadsManyWithOneQuery() throws Exception {
        try (PostgresServer postgres = PostgresServer.start()) {
            JdbcClient jdbc = JdbcClient.create(new DriverManagerDataSource(
                    postgres.createDatabase("accounts"), postgres.username(), postgres.password()));
            jdbc.sql("CREATE TABLE accounts AS SELECT 42::bigint AS id, '13800000000' AS mobile, 'Ann' AS name")
                    .update();
            jdbc.sql("CREATE TABLE photos (id bigint, address text)").update();

            assertThat(new SourceByHand().profiles(jdbc).load(Set.of(42L, 43L))).isEqualTo(Map.of(42L, ANN));
        }
    }

    private static <V> Map<Long, V> only(Set<Long> ids, Map<Long, V> rows) {
        Map<Long, V> found = new HashMap<>(rows);
        found.keySet().retainAll(ids);
        return found;
    }
}
