package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import dev.usher.AvailabilityChecker.Outage;
import dev.usher.AvailabilityChecker.Rule;
import dev.usher.AvailabilityChecker.Violation;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Histories made by hand, in milliseconds: the database cannot be reached from 1000 to 2000. */
class AvailabilityCheckerTest {

    private static final int USER = 1;
    private static final int REMEMBERED = 2;
    private static final int NODE = 7;

    private final List<Outage> outages = List.of(new Outage(nanos(1000), nanos(2000)));
    private final ReadLog reads = ReadLog.inMemory(10);
    private final ReadLog stale = ReadLog.inMemory(10);

    @Test
    void anAnswerIsNeverWrongHere() {
        reads.add(nanos(100), nanos(101), USER, 5);
        reads.add(nanos(1100), nanos(1101), USER, ReadLog.ANOTHERS_VALUE);
        assertThat(violations()).isEmpty();
    }

    @Test
    void noAnswerIsWrongWhileTheDatabaseCanBeReached() {
        unavailable(100, 999, USER);
        assertThat(violations()).containsExactly(entry(Rule.COULD_HAVE_BEEN_LOADED, 1L));
        assertThat(check().examples())
                .containsExactly(new Violation(Rule.COULD_HAVE_BEEN_LOADED, NODE, USER, nanos(100), nanos(999)));
    }

    @Test
    void noAnswerIsRightIfTheDatabaseWasAwayForAMomentOfTheCall() {
        unavailable(100, 1000, USER);
        unavailable(1500, 1600, USER);
        unavailable(1999, 5000, USER);
        assertThat(violations()).isEmpty();
    }

    @Test
    void aLoadThatBeganBeforeTheEndMayFailAMomentAfterIt() {
        unavailable(2100, 2101, USER);
        assertThat(violations()).isEmpty();
        unavailable(2101, 2102, USER);
        assertThat(violations()).containsExactly(entry(Rule.COULD_HAVE_BEEN_LOADED, 1L));
    }

    @Test
    void aRememberedUserIsAnsweredAllTheTime() {
        unavailable(1500, 1600, REMEMBERED);
        assertThat(violations()).containsExactly(entry(Rule.COULD_HAVE_BEEN_REMEMBERED, 1L));
    }

    @Test
    void aStaleAnswerIsRightWhileTheDatabaseIsAwayAndForASecondMore() {
        stale.add(nanos(1500), nanos(1501), USER, 5);
        stale.add(nanos(3100), nanos(3101), USER, 5);
        assertThat(violations()).isEmpty();
        stale.add(nanos(3101), nanos(3102), USER, 5);
        assertThat(violations()).containsExactly(entry(Rule.STALE_WITHOUT_NEED, 1L));
    }

    @Test
    void aStaleAnswerBeforeTheOutageIsWrong() {
        stale.add(nanos(500), nanos(999), USER, 5);
        assertThat(violations()).containsExactly(entry(Rule.STALE_WITHOUT_NEED, 1L));
    }

    @Test
    void aNodeWithoutAnOutageHasNoExcuse() {
        unavailable(1500, 1600, USER);
        AvailabilityChecker checker = new AvailabilityChecker(id -> false);
        checker.check(NODE, List.of(), reads);
        assertThat(checker.violations()).containsExactly(entry(Rule.COULD_HAVE_BEEN_LOADED, 1L));
    }

    private void unavailable(long asked, long answered, int id) {
        reads.add(nanos(asked), nanos(answered), id, ReadLog.UNAVAILABLE);
    }

    private Map<Rule, Long> violations() {
        return check().violations();
    }

    private AvailabilityChecker check() {
        AvailabilityChecker checker = new AvailabilityChecker(id -> id == REMEMBERED);
        checker.check(NODE, outages, reads);
        checker.checkStale(NODE, outages, stale);
        return checker;
    }

    private static long nanos(long millis) {
        return Duration.ofMillis(millis).toNanos();
    }
}
