package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.Session;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A node whose machine is paused for an hour, which {@link System#nanoTime} does not count. */
class PausedMachineIT extends NodesOnRedis {

    private static final Facet<UserProfile> PATIENT = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .build());
    private static final Duration PAUSE = Duration.ofHours(1);

    private final Table table = new Table();

    /** The time that this machine's clocks have missed. */
    private final AtomicLong missedNanos = new AtomicLong();

    private volatile Duration setForward = Duration.ZERO;
    private UserCaches node;
    private UserCache<Long, UserProfile> cache;

    @BeforeEach
    void warm() {
        table.put(42L, new UserProfile("13800000000", "Ann", "", false, "", ""));
        node = open(patient(uri())
                .nanoTime(() -> System.nanoTime() - missedNanos.get())
                .clock(() -> Instant.ofEpochSecond(0, System.nanoTime() - missedNanos.get())
                        .plus(setForward)));
        cache = node.cache(PATIENT, Long.class, table);
        await().until(() -> {
            cache.find(42L);
            return cache.stats().nearHits() > 0;
        });
    }

    /** The clock of Redis has advanced, and no clock of this machine: as seen from a paused virtual machine. */
    @Test
    void memoryIsClosedWhenTheClockOfRedisHasGoneOnUntilRedisHasSaidWhatHasChanged() {
        assertIsClosedForAMomentAfter(() -> missedNanos.addAndGet(PAUSE.toNanos()));
    }

    /** The clock of this machine was put right when it woke: as on a computer that slept. */
    @Test
    void memoryIsClosedWhenTheClockOfThisMachineHasGoneOn() {
        assertIsClosedForAMomentAfter(() -> setForward = setForward.plus(PAUSE));
    }

    @Test
    void aClockThatIsSetBackClosesNothing() {
        long before = cache.stats().sharedPresent();
        setForward = PAUSE.negated();
        missedNanos.addAndGet(-PAUSE.toNanos());
        long until = System.nanoTime() + Duration.ofMillis(600).toNanos();
        while (System.nanoTime() - until < 0) {
            cache.find(42L);
        }
        assertThat(cache.stats().sharedPresent()).isEqualTo(before);
    }

    /** Entries stay, and are answered again once Redis has answered a heartbeat that was sent after the pause. */
    private void assertIsClosedForAMomentAfter(Runnable pause) {
        long before = cache.stats().sharedPresent();
        Session session = node.engine().shared().session("user:42:profile");
        await().pollInterval(Duration.ofMillis(300))
                .atMost(Duration.ofSeconds(5))
                .until(() -> {
                    pause.run();
                    long until = System.nanoTime() + Duration.ofMillis(350).toNanos();
                    while (System.nanoTime() - until < 0) {
                        cache.find(42L);
                        if (cache.stats().sharedPresent() > before) {
                            return true;
                        }
                    }
                    return false;
                });
        long inMemory = cache.stats().nearHits();
        await().until(() -> {
            cache.find(42L);
            return cache.stats().nearHits() > inMemory;
        });
        assertThat(node.engine().shared().session("user:42:profile"))
                .as("nothing was forgotten")
                .isSameAs(session);
        assertThat(table.queries).hasValue(1);
    }
}
