package dev.usher.recipes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.Facet;
import dev.usher.RevocationReceipt;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

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
    void onlyEnabledUsersAreAnswered() {
        try (UserCaches caches =
                UserCaches.builder().redis(redis.uri()).keyPrefix("both").build()) {
            TwoFacetsAtOnce both = new TwoFacetsAtOnce(
                    caches.cache(UserProfile.FACET, Long.class, ids -> only(ids, Map.of(42L, ANN, 43L, ANN))),
                    caches.cache(
                            UserStatus.FACET,
                            Long.class,
                            ids -> only(ids, Map.of(42L, UserStatus.ENABLED, 43L, UserStatus.DISABLED))));

            assertThat(both.ofEnabled(42L)).contains(ANN);
            assertThat(both.ofEnabled(43L)).isEmpty();
        }
    }

    @Test
    void aFacetsJsonMayBeTheApplications() {
        JsonMapper mapper = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .build();
        OwnJson.Badges value = new OwnJson.Badges(7, List.of("early"));
        String json = "{\"total_karma\":7,\"names\":[\"early\"]}";
        try (UserCaches caches = OwnJson.caches(redis.uri(), mapper)) {
            Facet<OwnJson.Badges> usual = Facet.of("usual", OwnJson.Badges.class);

            assertThat(caches.cache(usual, Long.class, ids -> Map.of())
                            .facet()
                            .codec()
                            .encode(value))
                    .asString()
                    .isEqualTo(json);
        }
        assertThat(OwnJson.badges(mapper).codec().encode(value)).asString().isEqualTo(json);
    }

    @Test
    void aLoginsRowIsAnsweredWithoutAQuery() {
        try (UserCaches caches =
                UserCaches.builder().redis(redis.uri()).keyPrefix("login").build()) {
            UserProfileCache<Long> profiles =
                    new UserProfileCache<>(caches.cache(UserProfile.FACET, Long.class, ids -> Map.of()));
            UserStatusCache<Long> statuses =
                    new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, ids -> Map.of()));
            LoginByHand logins = new LoginByHand(profiles, statuses);

            var unused = logins.login(
                    "13800000000", mobile -> Optional.of(new LoginByHand.Account(42L, ANN, UserStatus.ENABLED)));

            assertThat(profiles.find(42L)).contains(ANN);
            // For two seconds after the start, a status is asked of the source, which knows none here.
            await().untilAsserted(() -> assertThat(statuses.isEnabled(42L)).isTrue());
        }
    }

    @Test
    void manyBansHaveOneReceiptAndADeletedUserIsForgottenInEveryFacet() {
        try (UserCaches caches =
                UserCaches.builder().redis(redis.uri()).keyPrefix("many").build()) {
            Map<Long, UserStatus> rows =
                    new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED, 43L, UserStatus.ENABLED));
            Map<Long, UserProfile> profileRows = new ConcurrentHashMap<>(Map.of(42L, ANN));
            UserStatusCache<Long> statuses =
                    new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, ids -> only(ids, rows)));
            UserCache<Long, UserProfile> profiles =
                    caches.cache(UserProfile.FACET, Long.class, ids -> only(ids, profileRows));
            ManyChanges changes = new ManyChanges(statuses);
            assertThat(statuses.isEnabled(42L)).isTrue();
            assertThat(profiles.find(42L)).contains(ANN);

            RevocationReceipt receipt =
                    changes.ban(List.of(42L, 43L), ids -> ids.forEach(id -> rows.put(id, UserStatus.DISABLED)));

            assertThat(receipt.confirmed()).as(receipt.toString()).isTrue();
            assertThat(statuses.isEnabled(42L)).isFalse();

            changes.delete(42L, profileRows::remove);

            assertThat(profiles.find(42L)).isEmpty();
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
