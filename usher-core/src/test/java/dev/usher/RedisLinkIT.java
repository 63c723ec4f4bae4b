package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisState;
import dev.usher.redis.RedisWay;
import dev.usher.testkit.FaultProxy.Direction;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The waits of callers for a Redis that does not answer, and its recovery. */
@Tag("servers")
class RedisLinkIT extends NodesOnRedis {

    private static final Duration DEADLINE = Duration.ofMillis(400);

    private static final Facet<UserProfile> PROFILE = UserProfile.FACET.with(
            UserProfile.FACET.policy().toBuilder().nearSize(0).jitter(0).build());

    private final Table table = new Table();
    private RedisWay proxy;
    private UserCaches node;
    private UserCache<Long, UserProfile> cache;

    @BeforeEach
    void openNode() {
        for (long id = 0; id < 1000; id++) {
            table.put(id, new UserProfile("13800000000", "name " + id, "", false, "", ""));
        }
        proxy = way();
        node = open(UserCaches.builder().redis(proxy.uri()).commandTimeout(DEADLINE));
        cache = node.cache(PROFILE, Long.class, table);
        await().until(() -> cache.stats().nearOpen());
        cache.find(0L);
        await().until(() -> node.engine().underWay() == 0);
    }

    @AfterEach
    void closeProxy() {
        proxy.close();
    }

    @Test
    void onlyTheFirstFewCallersWaitForARedisThatHangs() {
        proxy.freeze();
        assertThat(waits(1, 60))
                .as("of 60 callers, one after the other")
                .isLessThanOrEqualTo(5 * testRedis.servers().size());
        assertThat(node.engine().shared().state()).isEqualTo(RedisState.SILENT);
    }

    @Test
    void waitingCallersAreReleasedWhenTheBreakerOpens() throws Exception {
        proxy.freeze();
        ExecutorService callers = Executors.newFixedThreadPool(8);
        try {
            List<Future<Boolean>> first = new ArrayList<>();
            List<Long> ids = idsAlike("profile", 7);
            ids.subList(0, 5).forEach(id -> first.add(callers.submit(waits(id))));
            await().until(() -> node.engine().shared().waitingForReads() == 5);
            // These callers come when the others have waited for half of their time.
            await().pollDelay(DEADLINE.dividedBy(2)).until(() -> true);
            List<Future<Boolean>> late = List.of(callers.submit(waits(ids.get(5))), callers.submit(waits(ids.get(6))));
            int waited = 0;
            for (Future<Boolean> caller : first) {
                waited += caller.get() ? 1 : 0;
            }
            // Pulses that were not answered count as well, and may have been the fifth.
            assertThat(waited).as("waited for the whole deadline").isBetween(3, 5);
            for (Future<Boolean> caller : late) {
                assertThat(caller.get()).as("waited for the whole deadline").isFalse();
            }
        } finally {
            callers.shutdownNow();
        }
    }

    @Test
    void noCallerWaitsForARedisThatIsDown() {
        proxy.refuse();
        await().until(() -> node.engine().shared().state() == RedisState.UNREACHABLE);
        assertThat(waits(1, 60)).isZero();
    }

    @Test
    void aRedisThatAnswersAgainIsAskedAgainByItself() {
        proxy.freeze();
        waits(1, 6);
        assertThat(node.engine().shared().state()).isEqualTo(RedisState.SILENT);
        proxy.thaw();
        await().until(() -> node.engine().shared().state() == RedisState.ANSWERING);
        cache.find(500L);
        await().until(() -> redis.get("user:500:profile") != null);
    }

    @Test
    void aRedisThatIsMerelyIdleAndHangsIsNoticedBeforeAnybodyAsks() {
        proxy.freeze();
        await().until(() -> node.engine().shared().state() != RedisState.ANSWERING);
    }

    @Test
    void aSlowRedisIsNotAskedAndNoCallerWaits() {
        proxy.delay(DEADLINE.multipliedBy(2));
        assertThat(waits(1, 60)).isLessThanOrEqualTo(5 * testRedis.servers().size());
        proxy.restore();
        await().until(() -> node.engine().shared().state() == RedisState.ANSWERING);
    }

    @Test
    void anErrorIsAnAnswerAndTheBreakerStaysClosed() {
        redis.configSet("maxmemory", "1");
        try {
            for (long id = 1; id < 30; id++) {
                assertThat(cache.find(id)).isPresent();
            }
            assertThat(node.engine().shared().state()).isEqualTo(RedisState.FAILING);
            assertThat(cache.find(0L)).isPresent();
            assertThat(cache.stats().sharedPresent())
                    .as("what is in Redis is read all the same")
                    .isOne();
        } finally {
            redis.configSet("maxmemory", "0");
        }
        await().until(() -> node.engine().shared().state() == RedisState.ANSWERING);
    }

    @Tag("thorough")
    @Test
    void aHalfOpenConnectionIsMadeAnew() {
        proxy.swallow();
        await().atMost(Duration.ofSeconds(8)).until(() -> node.engine().shared().state() != RedisState.ANSWERING);
        // The proxy passes new connections, but not the old one, which the kernel would keep for many minutes.
        await().atMost(Duration.ofSeconds(8))
                .until(() -> cache.stats().nearOpen() && node.engine().shared().state() == RedisState.ANSWERING);
        cache.find(500L);
        await().until(() -> redis.get("user:500:profile") != null);
    }

    @Test
    void aConnectionCutInOneDirectionIsMadeAnewWhenItCanBe() {
        proxy.freeze(Direction.TO_CLIENT);
        assertThat(waits(1, 30)).isLessThanOrEqualTo(5);
        proxy.thaw(Direction.TO_CLIENT);
        await().atMost(Duration.ofSeconds(8))
                .until(() -> cache.stats().nearOpen() && node.engine().shared().state() == RedisState.ANSWERING);
    }

    @Test
    void trackingThatWasRefusedIsAskedForAgain() {
        redis.aclSetuser("default", AclSetuserArgs.Builder.removeCommand(CommandType.CLIENT));
        try {
            proxy.cut();
            await().until(() -> !cache.stats().nearOpen());
        } finally {
            redis.aclSetuser("default", AclSetuserArgs.Builder.allCommands());
        }
        await().until(() -> cache.stats().nearOpen());
    }

    @Test
    void anApplicationStartsWithoutRedisAndJoinsWhenItAppears() {
        RedisServer late = RedisServer.start();
        try {
            late.stop();
            UserCaches early = open(UserCaches.builder().redis(late.uri()));
            UserCache<Long, UserProfile> profiles = early.cache(UserProfile.FACET, Long.class, table);
            assertThat(profiles.find(1L)).isPresent();
            assertThat(early.engine().shared().state()).isEqualTo(RedisState.UNREACHABLE);
            late.restart();
            await().until(() -> profiles.stats().nearOpen());
            await().until(() -> early.engine().shared().state() == RedisState.ANSWERING);
        } finally {
            late.close();
        }
    }

    /** How many of some callers, one after the other, had to wait for the whole deadline. */
    private int waits(long from, long to) {
        int waits = 0;
        for (long id = from; id <= to; id++) {
            try {
                waits += waits(id).call() ? 1 : 0;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
        return waits;
    }

    private Callable<Boolean> waits(long id) {
        return () -> {
            long from = System.nanoTime();
            assertThat(cache.find(id)).isPresent();
            return System.nanoTime() - from >= DEADLINE.toNanos();
        };
    }
}
