package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import dev.usher.redis.TestRedis;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Answers without the source, in two facets. */
class FacetsTogetherIT extends NodesOnRedis {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");
    private static final Facet<UserProfile> PROFILE = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());
    private static final Facet<UserStatus> STATUS = UserStatus.FACET.with(UserStatus.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());

    private final Table table = new Table();
    private final Map<Long, UserStatus> statusTable = new ConcurrentHashMap<>();

    /** One process' two caches. */
    private record Node(UserCache<Long, UserProfile> profiles, UserCache<Long, UserStatus> statuses) {}

    @BeforeEach
    void fill() {
        table.put(42L, ANN);
        statusTable.put(42L, UserStatus.ENABLED);
    }

    @Test
    void aChangeThatRedisHasNotTakenIsNotOverlooked() {
        try (RedisWay proxy = way()) {
            Node node = node(proxy.uri());
            node.statuses.find(42L);
            proxy.refuse();
            statusTable.put(42L, UserStatus.DISABLED);
            assertThat(node.statuses.invalidate(42L)).isFalse();
            assertThat(node.statuses.find(42L)).contains(UserStatus.DISABLED);
            assertThat(node.statuses.findCached(List.of(42L)))
                    .as("nothing, or what the source has said")
                    .doesNotContainValue(Optional.of(UserStatus.ENABLED));
        }
    }

    @Test
    void whatIsCachedIsFoundWithoutTheSource() {
        UserCache<Long, UserProfile> cache = node(uri()).profiles;
        assertThat(cache.findCached(List.of(42L, 7L))).isEmpty();
        assertThat(table.queries).hasValue(0);
        cache.findAll(List.of(42L, 7L));
        awaitLoads();
        cache.findAll(List.of(42L, 7L)); // an absence is stored when it is asked for again
        awaitLoads();
        table.failure = new IllegalStateException("the database is gone");
        Map<Long, Optional<UserProfile>> cached = Map.of(42L, Optional.of(ANN), 7L, Optional.empty());

        UserCache<Long, UserProfile> elsewhere = node(uri()).profiles;
        redis.configResetstat();
        assertThat(elsewhere.findCached(List.of(42L, 7L, 8L, 42L))).isEqualTo(cached);
        assertThat(calls("mget")).isEqualTo(TestRedis.isCluster() ? 0 : 1);
        assertThat(redis.exists("{user:8:profile}:guard"))
                .as("nothing is claimed")
                .isZero();
        await().until(() -> {
            elsewhere.findCached(List.of(42L));
            return elsewhere.stats().nearPresent() > 0;
        });
        assertThat(elsewhere.stats().sharedAbsent()).isEqualTo(1);
    }

    @Test
    void aRedisThatIsAwayKnowsNoUser() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserStatus> cache = node(proxy.uri()).statuses;
            cache.find(42L);
            proxy.refuse();
            await().untilAsserted(
                            () -> assertThat(cache.findCached(List.of(42L))).isEmpty());
            assertThat(cache.stats().unavailable()).isZero();
        }
    }

    @Test
    void aListNamesTheUsersThatDoNotExist() {
        UserCache<Long, UserProfile> cache = node(uri()).profiles;
        assertThat(cache.lookUpAll(List.of(42L, 7L)))
                .isEqualTo(Map.of(
                        42L,
                        new Lookup<>(Optional.of(ANN), Duration.ZERO),
                        7L,
                        new Lookup<UserProfile>(Optional.empty(), Duration.ZERO)));
    }

    @Test
    void anIdIsReadFromItsText() {
        UserCaches caches = open(UserCaches.builder().redis(uri()));
        UserCache<Long, UserStatus> knowing = caches.cache(STATUS, Long.class, this::loadStatuses);
        assertThat(knowing.idOf("42")).isEqualTo(42L);
        assertThat(knowing.keyOf(42L)).isEqualTo("user:42:status");
        assertThat(knowing.facet()).isSameAs(STATUS);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> knowing.idOf("13800000000x"))
                .withMessage("the text is not that of a Long");
        UserCache<String, String> names = caches.cache(Facet.of("nick", String.class), String.class, ids -> Map.of());
        assertThat(names.idOf("ann")).isEqualTo("ann");
        assertThatIllegalArgumentException().isThrownBy(() -> names.idOf("a}b"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> caches.cache(Facet.of("other", String.class), Short.class, ids -> Map.of()));
    }

    private Node node(String uri) {
        UserCaches caches = open(UserCaches.builder().redis(uri).commandTimeout(Duration.ofSeconds(2)));
        return new Node(caches.cache(PROFILE, Long.class, table), caches.cache(STATUS, Long.class, this::loadStatuses));
    }

    private static long calls(String command) {
        return RedisCalls.of(redis, command);
    }

    private Map<Long, UserStatus> loadStatuses(Set<Long> ids) {
        return ids.stream().filter(statusTable::containsKey).collect(Collectors.toMap(id -> id, statusTable::get));
    }
}
