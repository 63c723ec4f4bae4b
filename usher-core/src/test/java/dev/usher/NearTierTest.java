package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;
import static org.awaitility.Awaitility.await;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.usher.NearTier.CachedAnswer;
import dev.usher.NearTier.Reservation;
import dev.usher.redis.Session;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The publish rule and the session rule, schedule by schedule. */
class NearTierTest {

    private static final Entry<String> VALUE = new Entry<>("value");
    private static final Entry<String> ABSENT = new Entry<>(null);

    private final CachePolicy policy = CachePolicy.builder()
            .ttl(Duration.ofMinutes(30))
            .stalenessBound(Duration.ofMinutes(1))
            .build();
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
    void anInvalidatedReservationIsNotPublished() {
        Reservation first = near.reserve(1L, session, NearTier.NEVER);
        near.forget(1L);
        Reservation second = near.reserve(1L, session, NearTier.NEVER);
        assertThat(near.publish(1L, first, new Entry<>("old"))).isFalse();
        assertThat(near.publish(1L, second, VALUE)).isTrue();
        assertThat(answer(1L)).contains("value");
    }

    @Test
    void theUsersAskedForMostStayAsWithCaffeineByItself() {
        int size = 1_000;
        int hits = 0;
        int expected = 0;
        // Caffeine admits by chance, too: a single run is up to 4 % below, and 1 % above.
        for (int run = 0; run < 5; run++) {
            NearTier<Long, String> small =
                    new NearTier<>(policy.toBuilder().nearSize(size).build(), (id, due) -> {});
            Cache<Long, String> caffeine = Caffeine.newBuilder()
                    .executor(Runnable::run)
                    .maximumSize(size)
                    .build();
            SplittableRandom random = new SplittableRandom(run);
            for (int question = 0; question < 60_000; question++) {
                // A realistic skew: half of all requests are for a tenth of the users.
                long id = (long) (10_000 * Math.pow(random.nextDouble(), 3.3));
                if (small.find(id) != null) {
                    hits++;
                } else {
                    small.publish(id, small.reserve(id, session, NearTier.NEVER), VALUE);
                    small.runMaintenance();
                }
                if (caffeine.getIfPresent(id) != null) {
                    expected++;
                } else {
                    caffeine.put(id, "value");
                }
            }
        }
        assertThat(hits).isCloseTo(expected, withPercentage(3));
    }

    @Test
    void aChangeEmptiesItsPlace() {
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
        NearTier<Long, String> brief =
                new NearTier<>(policy.toBuilder().nearTtl(Duration.ofMillis(1)).build(), (id, due) -> {});
        brief.publish(1L, brief.reserve(1L, session, NearTier.NEVER), VALUE);
        await().until(() -> brief.find(1L) == null);
    }

    @Test
    void anAbsentUserIsCachedWhenAskedForAgain() {
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
    void whatIsOnlyRememberedIsNotAskedForAgain() {
        near.publish(1L, near.reserve(1L, null, NearTier.NEVER), ABSENT);
        assertThat(near.publish(1L, near.reserve(1L, session, NearTier.NEVER), ABSENT))
                .isFalse();
        assertThat(near.publish(1L, near.reserve(1L, session, NearTier.NEVER), ABSENT))
                .isTrue();
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
            near.runMaintenance();
        }
        for (long id = 0; id < 100; id++) {
            assertThat(answer(id)).as("user %d", id).contains("value");
        }
        long remembered = LongStream.range(1_000, 21_000)
                .filter(id -> near.find(id) != null)
                .count();
        assertThat(remembered).as("of 20,000 absent users").isBetween(500L, 1_200L);
    }

    @Test
    void withoutASessionOrASizeNothingIsAnswered() {
        near.publish(1L, near.reserve(1L, null, NearTier.NEVER), VALUE);
        assertThat(answer(1L)).isNull();
        assertThat(near.publish(2L, null, VALUE)).isFalse();
        NearTier<Long, String> off =
                new NearTier<>(policy.toBuilder().nearSize(0).build(), (id, due) -> {});
        assertThat(off.reserve(1L, session, NearTier.NEVER)).isNull();
        assertThat(failClosed().reserve(1L, null, NearTier.NEVER)).isNull();
    }

    @Test
    void aReservationGivenBackLeavesWhatStoodThere() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), null);
        assertThat(answer(1L)).isNull();
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        Reservation first = near.reserve(1L, session, NearTier.NEVER);
        Reservation second = near.reserve(1L, session, NearTier.NEVER);
        assertThat(answer(1L)).as("while it is read").isNull();
        near.publish(1L, first, null);
        assertThat(answer(1L)).as("while it is read by another").isNull();
        near.publish(1L, second, null);
        assertThat(answer(1L)).contains("value");
    }

    @Test
    void aChangeWhileAPlaceIsReservedLeavesNothingToGoBackTo() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        Reservation reservation = near.reserve(1L, session, NearTier.NEVER);
        near.forget(1L);
        near.publish(1L, reservation, null);
        assertThat(answer(1L)).isNull();
        assertThat(near.lastKnown(1L)).isNull();
    }

    @Test
    void theLastKnownAnswerOutlivesItsSession() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        session.end();
        assertThat(answer(1L)).isNull();
        CachedAnswer<String> last = requireNonNull(near.lastKnown(1L));
        assertThat(last.answer()).contains("value");
        assertThat(last.isStale()).isTrue();
        assertThat(last.staleFor()).isPositive();
        assertThat(near.find(1L)).as("repeated").isSameAs(last);
        await().until(() -> near.find(1L) == null);
        assertThat(requireNonNull(near.lastKnown(1L)).staleFor()).isGreaterThan(Duration.ofSeconds(1));
    }

    @Test
    void whatMemoryCanVouchForIsNotStale() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        CachedAnswer<String> last = requireNonNull(near.lastKnown(1L));
        assertThat(last.isStale()).isFalse();
        assertThat(last.staleFor()).isZero();
    }

    @Test
    void aReservationDoesNotDestroyTheLastKnownAnswer() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        session.end();
        Session next = Session.tracked(System.nanoTime());
        Reservation reservation = near.reserve(1L, next, NearTier.NEVER);
        assertThat(requireNonNull(near.lastKnown(1L)).answer()).contains("value");
        assertThat(near.publish(1L, reservation, new Entry<>("newer")))
                .as("nor the last known answer a reservation")
                .isTrue();
        assertThat(answer(1L)).contains("newer");
    }

    @Test
    void aChangeRemovesTheLastKnownAnswerAlsoWhileItIsRepeated() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        session.end();
        assertThat(near.lastKnown(1L)).isNotNull();
        near.forget(1L);
        assertThat(answer(1L)).isNull();
        assertThat(near.lastKnown(1L)).isNull();
    }

    @Test
    void anAnswerIsLastKnownToBeTrueWhenItsSessionWasLastHeardOf() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        long seen = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        session.seenUpTo(seen);
        session.end();
        session.end();
        assertThat(session.knownUntil(System.nanoTime())).isEqualTo(seen);
        long later = seen + 1;
        assertThat(session.knownUntil(later)).isEqualTo(later);
        assertThat(Session.untracked().knownUntil(later))
                .as("changes are not pushed")
                .isEqualTo(later);
    }

    @Test
    void theLastKnownAnswerIsNotGivenForLongerThanItMayBe() {
        NearTier<Long, String> brief = new NearTier<>(
                policy.toBuilder().serveStaleFor(Duration.ofMillis(300)).build(), (id, due) -> {});
        brief.publish(1L, brief.reserve(1L, session, NearTier.NEVER), VALUE);
        session.end();
        long endedAt = System.nanoTime();
        CachedAnswer<String> last = requireNonNull(brief.lastKnown(1L));
        assertThat(last.isStale()).isTrue();
        long askedAt = endedAt;
        while (brief.find(1L) != null || brief.lastKnown(1L) != null) {
            assertThat(Duration.ofNanos(askedAt - endedAt)).isLessThan(Duration.ofMillis(300));
            askedAt = System.nanoTime();
        }
    }

    @Test
    void withoutALicenceToServeStaleNothingIs() {
        NearTier<Long, String> strict = failClosed();
        strict.publish(1L, strict.reserve(1L, session, NearTier.NEVER), VALUE);
        assertThat(strict.find(1L)).isNotNull();
        session.end();
        assertThat(strict.lastKnown(1L)).isNull();
    }

    @Test
    void theLaterOfTwoAnswersIsTheLastKnown() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), ABSENT);
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        // An answer that is only a last known one must not replace a valid one.
        near.publish(1L, near.reserve(1L, null, NearTier.NEVER), ABSENT);
        assertThat(answer(1L)).contains("value");
        session.end();
        assertThat(requireNonNull(near.lastKnown(1L)).answer()).isEmpty();

        Session heard = Session.tracked(System.nanoTime());
        near.publish(2L, near.reserve(2L, heard, NearTier.NEVER), ABSENT);
        near.publish(2L, near.reserve(2L, heard, NearTier.NEVER), VALUE);
        near.publish(2L, near.reserve(2L, null, NearTier.NEVER), ABSENT);
        heard.seenUpTo(System.nanoTime());
        heard.end();
        assertThat(requireNonNull(near.lastKnown(2L)).answer()).contains("value");
    }

    @Test
    void whatIsOnlyRememberedDisplacesNoAnswer() {
        near.publish(1L, near.reserve(1L, session, NearTier.NEVER), VALUE);
        Reservation reservation = near.reserve(1L, null, NearTier.NEVER);
        assertThat(answer(1L)).contains("value");
        assertThat(near.publish(1L, reservation, new Entry<>("other"))).isFalse();
        assertThat(answer(1L)).contains("value");

        session.end();
        assertThat(near.publish(1L, near.reserve(1L, null, NearTier.NEVER), new Entry<>("newer")))
                .isTrue();
        assertThat(answer(1L)).isNull();
        assertThat(requireNonNull(near.lastKnown(1L)).answer()).contains("newer");
    }

    @Test
    void theLastKnownAnswerIsNeverDue() {
        List<Long> due = new ArrayList<>();
        NearTier<Long, String> watched = new NearTier<>(policy, (id, cachedAnswer) -> due.add(id));
        watched.publish(1L, watched.reserve(1L, session, Duration.ZERO), VALUE);
        session.end();
        watched.lastKnown(1L);
        assertThat(watched.find(1L)).isNotNull();
        assertThat(due).isEmpty();
    }

    @Test
    void aDueEntryIsReportedOnce() {
        List<Long> due = new ArrayList<>();
        NearTier<Long, String> watched = new NearTier<>(policy, (id, cachedAnswer) -> due.add(id));
        watched.publish(1L, watched.reserve(1L, session, Duration.ofHours(1)), VALUE);
        watched.publish(2L, watched.reserve(2L, session, Duration.ZERO), VALUE);
        watched.publish(3L, watched.reserve(3L, session, Duration.ZERO), VALUE);
        for (int i = 0; i < 3; i++) {
            assertThat(watched.find(1L)).isNotNull();
            assertThat(watched.find(2L)).isNotNull();
        }
        assertThat(due)
                .as("neither the one that is not due, nor the one that is not asked for")
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
        NearTier<Long, String> watched = new NearTier<>(policy, (id, cachedAnswer) -> due.add(id));
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

        NearTier<Long, String> strict = new NearTier<>(
                policy.toBuilder().stalenessBound(Duration.ofMillis(1)).build(), (id, cachedAnswer) -> {});
        strict.publish(1L, strict.reserve(1L, Session.untracked(), NearTier.NEVER), VALUE);
        await().until(() -> strict.find(1L) == null);
    }

    @Test
    void anUntrackedAnswerIsNotGivenWithoutStaleAnswers() {
        NearTier<Long, String> strict = failClosed();
        strict.publish(1L, strict.reserve(1L, Session.untracked(), NearTier.NEVER), VALUE);
        assertThat(strict.find(1L)).isNull();
    }

    private NearTier<Long, String> failClosed() {
        return new NearTier<>(policy.toBuilder().serveStaleFor(Duration.ZERO).build(), (id, due) -> {});
    }

    /** {@code null} when memory has no answer; empty when the user is cached as absent. */
    @SuppressWarnings("NullableOptional")
    private @Nullable Optional<String> answer(long id) {
        CachedAnswer<String> cachedAnswer = near.find(id);
        return cachedAnswer == null ? null : cachedAnswer.answer();
    }
}
