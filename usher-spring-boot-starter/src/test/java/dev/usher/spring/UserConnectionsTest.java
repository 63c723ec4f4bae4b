package dev.usher.spring;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.RevokedUsers;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Without Redis: the source answers. */
@Timeout(30)
class UserConnectionsTest {

    private static final RevokedUsers ANN = RevokedUsers.of("status", List.of(1));

    private final ConcurrentMap<Long, UserStatus> rows = new ConcurrentHashMap<>();
    private final AtomicBoolean isLost = new AtomicBoolean();

    private final UserSource<Long, UserStatus> source = ids -> {
        if (isLost.get()) {
            throw new IllegalStateException("the source is lost");
        }
        Map<Long, UserStatus> found = new HashMap<>(rows);
        found.keySet().retainAll(ids);
        return found;
    };

    private final UserCaches caches =
            UserCaches.builder().redis("redis://127.0.0.1:1").build();
    private final UserStatusCache<Long> statuses =
            new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, source));
    private final EndingThreads threads = new EndingThreads(Duration.ofSeconds(20));
    private final UserConnections<Long> connections = new UserConnections<>(statuses, threads);
    private final AtomicInteger ended = new AtomicInteger();

    @AfterEach
    void close() {
        threads.close();
        caches.close();
    }

    @Test
    void whatWasOpenedBeforeARevocationAndRegisteredAfterItIsEnded() {
        rows.put(1L, UserStatus.DISABLED);
        Passage<Long> passage = new Passage<>(1L, true, connections.revocations());
        assertThat(connections.revoked(ANN)).isZero();

        connections.addPassed(passage, why -> ended.incrementAndGet());

        await().untilAsserted(() -> assertThat(ended).hasValue(1));
        assertThat(connections.size()).isZero();
    }

    @Test
    void withoutARevocationSinceTheGateTheStatusIsNotAskedForAgain() {
        connections.addPassed(new Passage<>(1L, true, connections.revocations()), why -> ended.incrementAndGet());

        assertThat(connections.size()).isEqualTo(1);
        assertThat(statuses.stats().sourceAnswers()).isZero();
    }

    @Test
    void aConnectionOfADisabledUserIsEndedAtOnce() {
        rows.put(1L, UserStatus.DISABLED);

        connections.add(1L, ended::incrementAndGet).close();

        await().untilAsserted(() -> assertThat(ended).hasValue(1));
        assertThat(connections.size()).isZero();
    }

    @Test
    void aRevokedUserWhoseStatusIsUnavailableMayNotAct() {
        rows.put(1L, UserStatus.ENABLED);
        connections.add(1L, ended::incrementAndGet);
        isLost.set(true);

        assertThat(connections.revoked(ANN)).isEqualTo(1);

        await().untilAsserted(() -> assertThat(ended).hasValue(1));
    }

    /** All users at once: to end the connections of all would bring them all back to a source that is busy already. */
    @Test
    void whereAnyUserMayBeRevokedAnUnavailableStatusIsAskedForAgain() {
        rows.put(1L, UserStatus.ENABLED);
        rows.put(2L, UserStatus.ENABLED);
        connections.add(1L, ended::incrementAndGet);
        connections.add(2L, () -> ended.addAndGet(100));
        rows.put(1L, UserStatus.DISABLED);
        isLost.set(true);

        assertThat(connections.revoked(RevokedUsers.everyone())).isZero();

        assertThat(ended).hasValue(0);
        isLost.set(false);
        await().untilAsserted(() -> assertThat(ended).hasValue(1));
        assertThat(connections.size()).isEqualTo(1);
    }

    @Test
    void connectionsThatDoNotEndKeepTheListenerOnlyForAWhile() throws InterruptedException {
        Duration patience = Duration.ofSeconds(1);
        CountDownLatch hold = new CountDownLatch(1);
        CountDownLatch begun = new CountDownLatch(20);
        EndingThreads few = new EndingThreads(patience);
        UserConnections<Long> hurried = new UserConnections<>(statuses, few);
        rows.put(1L, UserStatus.ENABLED);
        for (int i = 0; i < 20; i++) {
            hurried.addChecked(1L, why -> {
                begun.countDown();
                hold.await();
            });
        }
        rows.put(1L, UserStatus.DISABLED);

        long before = System.nanoTime();
        assertThat(hurried.revoked(ANN)).isEqualTo(20);

        assertThat(Duration.ofNanos(System.nanoTime() - before)).isBetween(patience, patience.plusSeconds(5));
        assertThat(begun.await(5, SECONDS)).isTrue();
        hold.countDown();
        few.close();
    }

    @Test
    void manyUsersAreBannedAtOnce() {
        List<Long> ids = IntStream.range(0, 2_000).mapToObj(Long::valueOf).toList();
        ids.forEach(id -> {
            rows.put(id, UserStatus.ENABLED);
            connections.addPassed(new Passage<>(id, true, 0), why -> ended.incrementAndGet());
        });
        ids.forEach(id -> rows.put(id, UserStatus.DISABLED));

        assertThat(connections.revoked(RevokedUsers.of("status", ids))).isEqualTo(2_000);

        await().untilAsserted(() -> assertThat(ended).hasValue(2_000));
        assertThat(connections.size()).isZero();
    }

    @Test
    void nothingIsKeptOfTenThousandConnectionsThatHaveEnded() throws InterruptedException {
        List<Thread> users = IntStream.range(0, 4)
                .mapToObj(first -> new Thread(() -> {
                    for (int i = 0; i < 2_500; i++) {
                        connections
                                .addPassed(new Passage<>((long) (i % 50), true, 0), why -> ended.incrementAndGet())
                                .close();
                    }
                }))
                .toList();
        users.forEach(Thread::start);
        for (Thread user : users) {
            user.join();
        }

        assertThat(connections.size()).isZero();
        assertThat(connections.revoked(RevokedUsers.everyone())).isZero();
        assertThat(ended).hasValue(0);
    }
}
