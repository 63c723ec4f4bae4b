package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserStatus;
import dev.usher.relay.ChangeFeed.Standing;
import dev.usher.relay.RelayHealth.State;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.sync.RedisCommands;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a relay does before it lets the position of a feed move on, with a feed of the test's. */
class AnnouncedBeforeMovedIT {

    private static final WatchedTable USERS =
            WatchedTable.of("users", "id").status("status", "1").ignoring("last_login");

    private final RedisServer redis = RedisServer.start();
    private final FaultProxy proxy = FaultProxy.inFrontOf(redis.host(), redis.port());
    private final RedisClient client = RedisClient.create(redis.uri());
    private final RedisCommands<String, String> commands = client.connect().sync();
    private final UserCaches caches = UserCaches.builder()
            .redis("redis://" + proxy.host() + ":" + proxy.port())
            .build();
    private final UserCache<Long, UserStatus> statuses = caches.cache(UserStatus.FACET, Long.class, ids -> Map.of());
    private final PlayedFeed feed = new PlayedFeed();
    private ChangeRelay relay;

    @BeforeEach
    void start() {
        commands.hset("{user:bookmarks}:played", Map.of("history", "one", "place", "100", "facets", "status"));
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
    }

    @AfterEach
    void stop() {
        relay.close();
        caches.close();
        client.shutdown();
        proxy.close();
        redis.close();
    }

    @Test
    void thePositionMovesOnWhenRedisHasTheFencesAndTheBookmark() {
        commands.set("user:42:status", "1");
        proxy.refuse();
        CompletableFuture<Boolean> moved = feed.play(110, row("42", "1"));
        await().until(() -> relay.health().lastError() != null || moved.isDone());
        assertThat(moved).isNotDone();
        assertThat(commands.get("user:42:status")).isEqualTo("1");
        assertThat(relay.health().lag()).isPositive();

        proxy.restore();
        assertThat(moved.orTimeout(60, TimeUnit.SECONDS).join()).isTrue();
        assertThat(commands.get("user:42:status")).isNull();
        assertThat(commands.hget("{user:bookmarks}:played", "place")).isEqualTo("110");
        assertThat(relay.health().flushes()).isZero();
    }

    @Tag("thorough")
    @Test
    void metersCountAndAreRemovedWithTheRelay() {
        relay.close();
        SimpleMeterRegistry meters = new SimpleMeterRegistry();
        relay = ChangeRelay.builder()
                .feed(feed)
                .caches(caches, statuses)
                .meterRegistry(meters)
                .start();
        await().atMost(Duration.ofSeconds(30)).until(() -> value(meters, "usher.relay.active") == 1);
        assertThat(feed.play(110, row("1", "1"), row("1", "1"), row("2", "0")).join())
                .isTrue();
        assertThat(feed.play(120, new Change.Emptied("public.users")).join()).isFalse();
        assertThat(value(meters, "usher.relay.events")).isEqualTo(4);
        assertThat(value(meters, "usher.relay.fences")).isEqualTo(2);
        assertThat(value(meters, "usher.relay.revocations")).isEqualTo(1);
        assertThat(value(meters, "usher.relay.flushes")).isEqualTo(1);
        feed.standing = new Standing("one", 100L, 1000, 777, "kept");
        await().atMost(Duration.ofSeconds(30)).until(() -> value(meters, "usher.relay.retained") == 777);
        assertThat(meters.get("usher.relay.lag").timeGauge().getId().getTag("feed"))
                .isEqualTo("played");
        relay.close();
        assertThat(meters.getMeters()).isEmpty();
    }

    private static double value(SimpleMeterRegistry meters, String name) {
        return meters.get(name).meter().measure().iterator().next().getValue();
    }

    @Test
    void manyChangesOfAUserAreOneFence() {
        Change[] changes = LongStream.range(0, 2000)
                .mapToObj(n -> row(Long.toString(n % 1000), "1"))
                .toArray(Change[]::new);
        assertThat(feed.play(110, changes).join()).isTrue();
        assertThat(relay.health().fences()).isEqualTo(1000);
        assertThat(relay.health().events()).isEqualTo(2000);
    }

    @Test
    void aRowWhoseOtherColumnsAreAsBeforeIsNotAnnounced() {
        assertThat(feed.play(110, login("1", "mon")).join()).isTrue();
        assertThat(feed.play(120, login("1", "tue"), login("1", "wed")).join()).isTrue();
        assertThat(relay.health().fences()).isEqualTo(1);
        assertThat(feed.play(130, row("1", "1")).join()).isTrue();
        assertThat(relay.health().fences()).isEqualTo(2);
    }

    @Test
    void whatCannotBeReadHasEverythingFlushedAndThePositionWaits() {
        commands.set("user:7:status", "1");
        assertThat(feed.play(110, new Change.Unreadable("a record could not be read"))
                        .join())
                .isFalse();
        assertThat(relay.health().flushes()).isEqualTo(1);
        assertThat(relay.health().lastError()).isEqualTo("a record could not be read");
        assertThat(feed.play(120, row("7", "1")).join()).isFalse();
        assertThat(commands.hget("{user:bookmarks}:played", "place")).isEqualTo("100");
    }

    @Test
    void aBookmarkThatRedisHasLostHasEverythingFlushed() {
        assertThat(feed.play(110, row("7", "1")).join()).isTrue();
        commands.hset("{user:bookmarks}:played", "place", "109");
        assertThat(feed.play(120, row("7", "1")).join()).isFalse();
        assertThat(relay.health().flushes()).isEqualTo(1);
        assertThat(commands.hget("{user:bookmarks}:played", "place")).isEqualTo("109");
    }

    @Test
    void aRowOfNobodyIsPassed() {
        Change withoutId = new Change.Row(USERS, null, Collections.singletonMap("id", null), Instant.now());
        assertThat(feed.play(110, row("no number", "1"), withoutId, row("7", "1"))
                        .join())
                .isTrue();
        assertThat(relay.health().fences()).isEqualTo(1);
        assertThat(relay.health().flushes()).isZero();
    }

    @Tag("thorough")
    @Test
    void anErrorIsSaidAndTriedAgain() {
        relay.close();
        feed.failure = new NoClassDefFoundError("org/postgresql/Driver");
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.BROKEN);
        assertThat(relay.health().lastError()).contains("NoClassDefFoundError");
        feed.failure = null;
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
    }

    @Tag("thorough")
    @Test
    void whatIsFollowedHasChangedMeanwhile() {
        feed.standing = new Standing("one with less", 100L, 1000, 0, "changed");
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().flushes() == 1);
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
        // A new position: the log up to there may not be readable any more.
        assertThat(feed.standing.place()).isEqualTo(1000);
    }

    @Test
    void aPositionForWhichTooMuchIsKeptIsGivenUpAlsoWhenTheDatabaseIsNotSetUp() {
        relay.close();
        feed.missing = "there is no publication";
        feed.standing = new Standing("one", 100L, 1000, 2L << 30, "grown");
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.BROKEN);
        assertThat(feed.standing.place()).isNull();
        assertThat(relay.health().lastError()).isEqualTo("there is no publication");
    }

    @Test
    void aPositionThatNoRelayHasLeftHasEverythingFlushed() {
        relay.close();
        for (Standing foreign : List.of(
                new Standing("one", 101L, 1000, 0, "beyond the bookmark"),
                new Standing("another", 100L, 1000, 0, "another database"),
                new Standing("one", 50L, 99, 0, "restored to an older state"),
                new Standing("one", null, 1000, 0, "without a position"))) {
            commands.hset("{user:bookmarks}:played", Map.of("history", "one", "place", "100", "facets", "status"));
            feed.standing = foreign;
            relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
            await(foreign.detail()).until(() -> relay.health().state() == State.FOLLOWING);
            assertThat(relay.health().flushes()).as(foreign.detail()).isEqualTo(1);
            assertThat(feed.play(200, row("42", "1")).join())
                    .as(foreign.detail())
                    .isFalse();
            relay.close();
        }
    }

    @Tag("thorough") // waits for a flush
    @Test
    void otherFacetsThanBeforeHaveEverythingFlushed() {
        relay.close();
        UserCache<Long, String> badges =
                caches.cache(Facet.of("badges", String.class), Long.class, ids -> Map.of(7L, "new"));
        commands.set("user:7:badges", "old");
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
        assertThat(relay.health().flushes()).isEqualTo(1);
        await().atMost(Duration.ofSeconds(30))
                .until(() -> "badges,status".equals(commands.hget("{user:bookmarks}:played", "facets")));
        assertThat(commands.get("user:7:badges")).isNull();
        assertThat(badges.find(7L)).contains("new");

        relay.close();
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
        assertThat(relay.health().flushes()).isZero();
    }

    @Test
    void aLogThatIsAnotherOneAtTheSamePlaceHasEverythingFlushed() {
        assertThat(feed.playTo(110, "the event before", row("7", "1")).join()).isTrue();
        assertThat(commands.hget("{user:bookmarks}:played", "mark")).isEqualTo("the event before");
        relay.close();
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
        assertThat(relay.health().flushes()).isZero();
        assertThat(feed.followedMark).isEqualTo("the event before");
        relay.close();

        feed.isHeld = false;
        // Its end, where the new position is, happens to be where the other log was announced up to.
        feed.standing = new Standing("one", 100L, 110, 0, "another log");
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
        assertThat(relay.health().flushes()).isEqualTo(1);
    }

    @Tag("thorough")
    @Test
    void aPositionThatMovesBeyondTheBookmarkHasEverythingFlushed() {
        feed.standing = new Standing("one", 500L, 1000, 0, "moved");
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().flushes() == 1);
        assertThat(relay.health().state()).isEqualTo(State.FOLLOWING);
    }

    @Tag("thorough")
    @Test
    void aPositionForWhichTooMuchIsKeptIsGivenUpAlsoWithoutRedis() {
        relay.close();
        proxy.refuse();
        feed.standing = new Standing("one", 100L, 1000, 2L << 30, "grown");
        relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.BROKEN);
        assertThat(feed.standing.place()).isNull();
        proxy.restore();
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
        assertThat(relay.health().flushes()).isEqualTo(1);
    }

    @Tag("thorough")
    @Test
    void afterTheFlushThePositionMovesOnThoughNothingChanges() {
        assertThat(feed.play(110, new Change.Emptied("public.users")).join()).isFalse();
        await().atMost(Duration.ofSeconds(30)).until(() -> feed.nudges.get() > 0);
        assertThat(relay.health().isFlushing()).isFalse();
        assertThat(feed.play(120).join()).isTrue();
    }

    @Tag("thorough")
    @Test
    void afterTheFlushThePositionMovesOn() {
        commands.set("user:7:status", "1");
        assertThat(feed.play(110, new Change.Emptied("public.users")).join()).isFalse();
        await().atMost(Duration.ofSeconds(30)).until(() -> !relay.health().isFlushing());
        assertThat(commands.get("user:7:status")).isNull();
        assertThat(feed.play(120).join()).isTrue();
        assertThat(commands.hget("{user:bookmarks}:played", "place")).isEqualTo("120");
        assertThat(relay.health().flushes()).isEqualTo(1);
    }

    private static Change row(String id, String status) {
        return new Change.Row(USERS, null, Map.of("id", id, "status", status), Instant.now());
    }

    private static Change login(String id, String at) {
        return new Change.Row(
                USERS, null, Map.of("id", id, "status", "1", "name", "x", "last_login", at), Instant.now());
    }
}
