package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.NearTier.Reservation;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The publish rule and the session rule, schedule by schedule. */
class NearTierTest {

    private static final Entry<String> VALUE = new Entry<>("value");
    private static final Entry<String> ABSENT = new Entry<>(null);

    private final CachePolicy policy = CachePolicy.of(Duration.ofMinutes(30)).withStalenessBound(Duration.ofMinutes(1));
    private final NearTier<Long, String> near = new NearTier<>(policy, (id, due) -> {});
    private final Session session = Session.tracked(System.nanoTime());

    @Test
    void whatWasReadIsAnswered() {
        assertThat(near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE))
                .isTrue();
        assertThat(answer(1L)).contains("value");
        assertThat(answer(2L)).isNull();
    }

    @Test
    void aChangeBetweenTheReadAndThePublishingLeavesNothing() {
        Reservation reservation = near.reserve(1L, session, NearTier.NEVER);
        near.forget(1L);
        assertThat(near.publish(1L, reservation, VALUE)).isFalse();
        assertThat(answer(1L)).isNull();
    }

    @Test
    void aReservationIsNobodyElses() {
        Reservation first = near.reserve(1L, session, NearTier.NEVER);
        near.forget(1L);
        Reservation second = near.reserve(1L, session, NearTier.NEVER);
        assertThat(near.publish(1L, first, new Entry<>("old"))).isFalse();
        assertThat(near.publish(1L, second, VALUE)).isTrue();
        assertThat(answer(1L)).contains("value");
    }

    @Test
    void aChangeForgetsWhatIsKept() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        near.forget(1L);
        assertThat(answer(1L)).isNull();
    }

    @Test
    void anEndedSessionAnswersNothingAndNothingIsAddedToIt() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        Reservation late = near.reserve(2L, session, NearTier.NEVER);
        session.end();
        session.seenUpTo(System.nanoTime());
        near.publish(2L, late, VALUE);
        assertThat(answer(1L)).isNull();
        assertThat(answer(2L)).isNull();
    }

    @Test
    void aWatermarkPastTheBoundAnswersNothingUntilItAdvances() {
        Session behind =
                Session.tracked(System.nanoTime() - policy.stalenessBound().toNanos() - 1);
        near.publish(1L, near.reserve(1L, behind, NearTier.NEVER), VALUE);
        assertThat(answer(1L)).isNull();
        behind.seenUpTo(System.nanoTime());
        assertThat(answer(1L)).contains("value");
    }

    @Test
    void aWatermarkNeverGoesBack() {
        session.seenUpTo(System.nanoTime() - Duration.ofHours(1).toNanos());
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        assertThat(answer(1L)).contains("value");
    }

    @Test
    void aNextSessionBeginsWithTheWatermarkOfTheLast() {
        Session next = session.next();
        session.end();
        near.publish(1L, near.reserve(1L, next, NearTier.NEVER), VALUE);
        assertThat(answer(1L)).contains("value");
    }

    @Test
    void anEntryHasALifeOfItsOwn() {
        NearTier<Long, String> brief = new NearTier<>(policy.withNearTtl(Duration.ofMillis(1)), (id, due) -> {});
        brief.publish(1L, brief.reserve(1L, session, NearTier.NEVER), VALUE);
        await().until(() -> brief.find(1L) == null);
    }

    @Test
    void anAbsentUserIsKeptWhenAskedForAgain() {
        assertThat(near.publish(1L, near.reserve(1L, session, NearTier.NEVER), ABSENT))
                .isFalse();
        assertThat(answer(1L)).isNull();
        assertThat(near.publish(1L, near.reserve(1L, session, NearTier.NEVER), ABSENT))
                .isTrue();
        assertThat(answer(1L)).isEmpty();
        near.forget(1L);
        assertThat(answer(1L)).isNull();
    }

    @Test
    void aUserThatAppearsIsAbsentNoLonger() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), ABSENT);
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), ABSENT);
        near.forget(1L);
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        assertThat(answer(1L)).contains("value");
    }

    @Test
    void inventedIdsDoNotDriveOutUsers() {
        for (long id = 0; id < 100; id++) {
            near.publish(id, near.reserve(id, session, NearTier.NEVER), VALUE);
        }
        for (long id = 1_000; id < 21_000; id++) {
            near.publish(id, near.reserve(id, session, NearTier.NEVER), ABSENT);
            near.publish(id, near.reserve(id, session, NearTier.NEVER), ABSENT);
        }
        for (long id = 0; id < 100; id++) {
            assertThat(answer(id)).as("user %d", id).contains("value");
        }
        long remembered = LongStream.range(1_000, 21_000)
                .filter(id -> near.find(id) != null)
                .count();
        assertThat(remembered).as("of 20,000 who do not exist").isBetween(500L, 1_200L);
    }

    @Test
    void withoutASessionOrASizeNothingIsKept() {
        assertThat(near.reserve(1L, null, NearTier.NEVER)).isNull();
        assertThat(near.publish(1L, null, VALUE)).isFalse();
        NearTier<Long, String> off = new NearTier<>(policy.withNearSize(0), (id, due) -> {});
        assertThat(off.reserve(1L, session, NearTier.NEVER)).isNull();
    }

    @Test
    void aReservationGivenBackLeavesNothing() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), null);
        assertThat(answer(1L)).isNull();
    }

    @Test
    void whoFindsWhatIsDueIsToldSoOnce() {
        List<Long> due = new ArrayList<>();
        NearTier<Long, String> watched = new NearTier<>(policy, (id, resident) -> due.add(id));
        watched.publish(1L, watched.reserve(1L, session, Duration.ofHours(1)), VALUE);
        watched.publish(2L, watched.reserve(2L, session, Duration.ZERO), VALUE);
        watched.publish(3L, watched.reserve(3L, session, Duration.ZERO), VALUE);
        for (int i = 0; i < 3; i++) {
            assertThat(watched.find(1L)).isNotNull();
            assertThat(watched.find(2L)).isNotNull();
        }
        assertThat(due)
                .as("not the one whose time has not come, nor the one nobody asks for")
                .containsExactly(2L);
        requireNonNull(watched.find(2L)).dueIn(Duration.ZERO);
        watched.find(2L);
        assertThat(due).containsExactly(2L, 2L);
        requireNonNull(watched.find(2L)).dueIn(Duration.ofSeconds(9_999_999_999_999L));
        watched.find(2L);
        assertThat(due).as("what Redis holds for ages is never due").containsExactly(2L, 2L);
    }

    @Test
    void anAbsentUserIsNeverDue() {
        List<Long> due = new ArrayList<>();
        NearTier<Long, String> watched = new NearTier<>(policy, (id, resident) -> due.add(id));
        watched.publish(1L, watched.reserve(1L, session, Duration.ZERO), ABSENT);
        watched.publish(1L, watched.reserve(1L, session, Duration.ZERO), ABSENT);
        assertThat(watched.find(1L)).isNotNull();
        assertThat(due).isEmpty();
    }

    @Test
    void whatIsReadUntrackedLivesForTheStalenessBoundAndNotLongerThanItsSession() {
        Session untracked = Session.untracked();
        near.publish(1L, near.reserve(1L, untracked, NearTier.NEVER), VALUE);
        assertThat(answer(1L)).contains("value");
        untracked.end();
        assertThat(answer(1L)).isNull();

        NearTier<Long, String> strict =
                new NearTier<>(policy.withStalenessBound(Duration.ofMillis(1)), (id, resident) -> {});
        strict.publish(1L, strict.reserve(1L, Session.untracked(), NearTier.NEVER), VALUE);
        await().until(() -> strict.find(1L) == null);
    }

    /** {@code null} when memory has none; empty when it knows that there is no such user. */
    @SuppressWarnings("NullableOptional")
    private @Nullable Optional<String> answer(long id) {
        NearTier.Resident<String> resident = near.find(id);
        return resident == null ? null : resident.answer();
    }
}
