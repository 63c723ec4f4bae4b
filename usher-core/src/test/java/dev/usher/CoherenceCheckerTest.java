package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import dev.usher.Change.Announcement;
import dev.usher.CoherenceChecker.Rule;
import dev.usher.CoherenceChecker.Spread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Histories made by hand, in milliseconds: a bound of 1 s, and 3 s of grace for a DEL. */
class CoherenceCheckerTest {

    private static final int USER = 1;
    private static final int NODE = 7;

    private final List<Change> changes = new ArrayList<>();
    private final ReadLog reads = ReadLog.inMemory(100);

    @Test
    void aReadOfTheLastVersionIsRight() {
        change(1, 100, Announcement.FENCE);
        read(99, 0);
        read(5000, 1);
        assertThat(violations()).isEmpty();
    }

    @Test
    void anOldVersionIsRightForTheBoundAndNotAMomentLonger() {
        change(1, 100, Announcement.FENCE);
        read(1100, 0);
        assertThat(violations()).isEmpty();
        reads.add(nanos(1100) + 1, nanos(1101), USER, 0);
        assertThat(violations()).containsExactly(entry(Rule.STALE, 1L));
    }

    @Test
    void aReadIsJudgedByWhenItWasAskedAlsoIfItTookLong() {
        change(1, 100, Announcement.FENCE);
        reads.add(nanos(50), nanos(9000), USER, 0);
        assertThat(violations()).isEmpty();
    }

    @Test
    void theBoundCountsFromTheAnnouncement() {
        changes.add(new Change(USER, 1, 2, nanos(10), nanos(20), nanos(3000), Announcement.LATE_FENCE));
        read(3900, 0);
        assertThat(violations()).isEmpty();
        read(4001, 0);
        assertThat(violations()).containsExactly(entry(Rule.STALE, 1L));
    }

    @Test
    void aVersionInBetweenIsStaleToo() {
        change(1, 100, Announcement.FENCE);
        change(2, 200, Announcement.SETEX);
        change(3, 5000, Announcement.FENCE);
        read(1150, 1);
        read(1201, 1);
        assertThat(violations()).containsExactly(entry(Rule.STALE, 1L));
    }

    @Test
    void anEarlierVersionThatIsAnnouncedLateDoesNotLowerWhatIsDemanded() {
        change(2, 100, Announcement.FENCE);
        change(1, 900, Announcement.LATE_FENCE);
        read(2500, 1);
        assertThat(violations()).containsExactly(entry(Rule.STALE, 1L));
    }

    @Test
    void aBareDelMayBeUndoneForTheLifeOfAnEntry() {
        change(1, 100, Announcement.DEL);
        read(4100, 0);
        assertThat(violations()).isEmpty();
        assertThat(check().withinGrace()).isEqualTo(1);
        read(4101, 0);
        assertThat(violations()).containsExactly(entry(Rule.STALE, 1L));
    }

    @Test
    void aNodeSeesItsOwnConfirmedChangeAtOnce() {
        changes.add(new Change(USER, 1, NODE, nanos(80), nanos(90), nanos(100), Announcement.FENCE));
        read(100, 0);
        assertThat(violations()).isEmpty();
        read(101, 0);
        assertThat(violations()).containsExactly(entry(Rule.OWN_CHANGE_UNSEEN, 1L));
    }

    @Test
    void aNodeNeedNotSeeItsOwnUnconfirmedChangeNorAnothersAtOnce() {
        changes.add(new Change(USER, 1, NODE, nanos(80), nanos(90), nanos(100), Announcement.LATE_FENCE));
        changes.add(new Change(USER, 2, NODE + 1, nanos(80), nanos(90), nanos(100), Announcement.FENCE));
        read(101, 0);
        assertThat(violations()).isEmpty();
    }

    @Test
    void aNodeMayGoBackWithinTheBoundOnly() {
        unrecorded(1);
        read(100, 1);
        read(1101, 0);
        assertThat(violations()).isEmpty();
        read(1102, 0);
        assertThat(violations()).containsExactly(entry(Rule.BACKWARDS, 1L));
    }

    @Test
    void goingBackIsSeenAcrossTheThreadsOfANode() {
        unrecorded(1);
        ReadLog other = ReadLog.inMemory(2);
        read(100, 1);
        other.add(nanos(50), nanos(51), USER, 0);
        other.add(nanos(1200), nanos(1201), USER, 0);
        CoherenceChecker checker = checker();
        checker.check(NODE, List.of(other, reads));
        assertThat(checker.violations()).containsExactly(entry(Rule.BACKWARDS, 1L));
    }

    @Test
    void anotherNodeMayLagBehind() {
        unrecorded(1);
        ReadLog other = ReadLog.inMemory(1);
        read(100, 1);
        other.add(nanos(5000), nanos(5001), USER, 0);
        CoherenceChecker checker = checker();
        checker.check(NODE, List.of(reads));
        checker.check(NODE + 1, List.of(other));
        assertThat(checker.violations()).isEmpty();
    }

    @Test
    void aNodeThatSawAChangeBeforeItWasAnnouncedMayGoBackUntilTheBoundAfterIt() {
        changes.add(new Change(USER, 1, 2, nanos(10), nanos(20), nanos(3000), Announcement.LATE_FENCE));
        read(100, 1);
        read(3900, 0);
        assertThat(violations()).isEmpty();
        read(4001, 0);
        assertThat(violations()).containsOnly(entry(Rule.BACKWARDS, 1L), entry(Rule.STALE, 1L));
    }

    @Test
    void aVersionBeforeItsCommitIsFromTheFuture() {
        change(1, 100, Announcement.FENCE);
        read(50, 1);
        read(200, 2);
        assertThat(violations()).containsExactly(entry(Rule.FROM_THE_FUTURE, 2L));
    }

    @Test
    void anothersValueIsFound() {
        read(50, ReadLog.ANOTHERS_VALUE);
        assertThat(violations()).containsExactly(entry(Rule.ANOTHERS_VALUE, 1L));
    }

    @Test
    void anExceptionIsCountedAndBreaksNoRule() {
        change(1, 100, Announcement.FENCE);
        read(5000, ReadLog.UNAVAILABLE);
        assertThat(violations()).isEmpty();
        assertThat(check().unavailable()).isEqualTo(1);
    }

    @Test
    void anythingButTheLastVersionIsOldAtTheEnd() {
        change(1, 100, Announcement.FENCE);
        change(2, 200, Announcement.DEL);
        CoherenceChecker checker = checker();
        ReadLog last = ReadLog.inMemory(3);
        last.add(nanos(9000), nanos(9001), USER, 2);
        checker.checkLast(NODE, last);
        assertThat(checker.violations()).isEmpty();
        last.add(nanos(9000), nanos(9001), USER, 1);
        last.add(nanos(9000), nanos(9001), 0, ReadLog.UNAVAILABLE);
        checker.checkLast(NODE, last);
        assertThat(checker.violations()).containsExactly(entry(Rule.OLD_AT_THE_END, 2L));
    }

    @Test
    void usersAreCheckedApart() {
        change(1, 100, Announcement.FENCE);
        reads.add(nanos(5000), nanos(5001), 0, 0);
        assertThat(violations()).isEmpty();
    }

    @Test
    void theVisibilityOfAChangeIsTheLastOlderAnswerOnAnyNode() {
        changes.add(new Change(USER, 1, 2, nanos(90), nanos(100), nanos(101), Announcement.FENCE));
        changes.add(new Change(USER, 2, 2, nanos(490), nanos(500), nanos(501), Announcement.FENCE));
        read(110, 0);
        read(120, 1);
        ReadLog other = ReadLog.inMemory(2);
        other.add(nanos(130), nanos(131), USER, 0);
        other.add(nanos(520), nanos(521), USER, 2);
        CoherenceChecker checker = checker();
        checker.check(NODE, List.of(reads));
        checker.check(NODE + 1, List.of(other));
        assertThat(checker.visibility(any -> true))
                .isEqualTo(new Spread(2, Duration.ofMillis(30), Duration.ofMillis(30), Duration.ofMillis(30)));
        assertThat(checker.older()).isEqualTo(2);
        assertThat(checker.oldest()).isEqualTo(Duration.ofMillis(29));
    }

    /** A change without recorded times: the user's next change makes its version known. */
    private void unrecorded(int version) {
        changes.add(new Change(USER, version + 1, 2, nanos(50_000), nanos(50_001), nanos(50_002), Announcement.FENCE));
    }

    private void change(int version, long millis, Announcement by) {
        changes.add(new Change(USER, version, 2, nanos(millis - 20), nanos(millis - 10), nanos(millis), by));
    }

    private void read(long millis, int version) {
        reads.add(nanos(millis), nanos(millis + 1), USER, version);
    }

    private Map<Rule, Long> violations() {
        return check().violations();
    }

    private CoherenceChecker check() {
        CoherenceChecker checker = checker();
        checker.check(NODE, List.of(reads));
        return checker;
    }

    private CoherenceChecker checker() {
        return new CoherenceChecker(Duration.ofSeconds(1), Duration.ofSeconds(3), 2, changes);
    }

    private static long nanos(long millis) {
        return Duration.ofMillis(millis).toNanos();
    }
}
