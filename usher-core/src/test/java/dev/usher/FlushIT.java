package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

/** Everything is forgotten where it is not known what has changed, and how far a process has come is remembered. */
class FlushIT extends NodesOnRedis {

    private static final Timing SOON = TRUSTING.withOffersEnd(Duration.ofMillis(200));

    private final Table table = new Table();

    @Test
    void everyNodeForgetsEverythingInEveryFacetOfThePrefix() {
        UserCaches here = open(patient(uri()).timing(SOON));
        UserCaches there = open(patient(uri()).timing(SOON));
        UserCache<Long, UserProfile> ours = here.cache(UserProfile.FACET, Long.class, table);
        UserCache<Long, UserProfile> theirs = there.cache(UserProfile.FACET, Long.class, table);
        for (long id = 1; id <= 20; id++) {
            table.put(id, profile("Old"));
            assertThat(ours.find(id)).contains(profile("Old"));
            assertThat(theirs.find(id)).contains(profile("Old"));
        }
        awaitLoads();
        redis.set("other:1:profile", "x");
        for (long id = 1; id <= 20; id++) {
            table.put(id, profile("New"));
        }
        assertThat(theirs.find(7L)).contains(profile("Old"));

        here.flush().join();
        await().untilAsserted(() -> {
            for (long id = 1; id <= 20; id++) {
                assertThat(ours.find(id)).contains(profile("New"));
                assertThat(theirs.find(id)).contains(profile("New"));
            }
        });
        assertThat(redis.get("other:1:profile")).isEqualTo("x");
    }

    @Test
    void aFlushDuringWhichRedisWasLostHasFailed() {
        try (RedisWay proxy = way()) {
            UserCaches here = open(patient(proxy.uri()).timing(TRUSTING.withOffersEnd(Duration.ofSeconds(2))));
            here.cache(UserProfile.FACET, Long.class, table);
            CompletableFuture<Void> flush = here.flush();
            proxy.cut();
            assertThatThrownBy(flush::join).isInstanceOf(CompletionException.class);
        }
    }

    @Test
    void aBookmarkIsTheSameOnAllNodesAndIsNoValue() {
        UserCaches here = open(patient(uri()).timing(SOON));
        UserCaches there = open(patient(uri()).timing(SOON));
        here.cache(UserProfile.FACET, Long.class, table);
        assertThat(there.bookmark("log").join()).isEmpty();
        here.bookmark("log", Map.of("place", "1", "history", "a")).join();
        here.bookmark("log", Map.of("place", "2")).join();
        here.flush().join();
        assertThat(there.bookmark("log").join()).containsOnly(Map.entry("place", "2"), Map.entry("history", "a"));
        assertThat(redis.hget("{user:bookmarks}:log", "place")).isEqualTo("2");
        assertThatThrownBy(() -> here.bookmark("no name")).isInstanceOf(IllegalArgumentException.class);
    }

    private static UserProfile profile(String name) {
        return new UserProfile("13800000000", name, "", false, "", "");
    }
}
