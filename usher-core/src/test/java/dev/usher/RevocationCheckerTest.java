package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Change.Announcement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Histories made by hand, in milliseconds. */
class RevocationCheckerTest {

    private static final int USER = 1;
    private static final int NODE = 7;
    private static final int ENABLED = UserStatus.ENABLED.code();
    private static final int DISABLED = UserStatus.DISABLED.code();

    private final List<Change> changes = new ArrayList<>();
    private final ReadLog reads = ReadLog.inMemory(10);

    @Test
    void aReadAfterTheReceiptMustNotAnswerEnabled() {
        change(1, 100, 200);
        read(201, 202, ENABLED);
        assertThat(letIn()).isEqualTo(1);
        assertThat(check().examples())
                .containsExactly(new RevocationChecker.Violation(
                        NODE, USER, nanos(201), nanos(202), nanos(200), Long.MAX_VALUE));
    }

    @Test
    void aReadFromBeforeTheReceiptMayAnswerEnabled() {
        change(1, 100, 200);
        read(50, 51, ENABLED);
        read(200, 900, ENABLED);
        assertThat(letIn()).isZero();
    }

    @Test
    void aReadThatIsUnderWayWhenTheUserIsEnabledMayAnswerEnabled() {
        change(1, 100, 200);
        change(2, 300, 400);
        read(250, 300, ENABLED);
        read(350, 351, ENABLED);
        assertThat(letIn()).isZero();
        read(298, 299, ENABLED);
        assertThat(letIn()).isEqualTo(1);
    }

    @Test
    void theNextBanCountsAsWell() {
        change(1, 100, 200);
        change(2, 300, 400);
        change(3, 500, 600);
        read(601, 602, ENABLED);
        assertThat(letIn()).isEqualTo(1);
    }

    @Test
    void aBanThatWasLiftedBeforeItWasConfirmedForbidsNoAnswer() {
        change(1, 100, 200);
        changes.set(0, new Change(USER, 1, 2, nanos(100), nanos(101), nanos(5000), Announcement.LATE_FENCE));
        change(2, 300, 400);
        read(450, 451, ENABLED);
        read(5001, 5002, ENABLED);
        assertThat(letIn()).isZero();
    }

    @Test
    void changesMayComeInAnyOrder() {
        change(3, 500, 600);
        change(2, 300, 400);
        change(1, 100, 200);
        read(450, 451, ENABLED);
        assertThat(letIn()).isZero();
        read(700, 701, ENABLED);
        assertThat(letIn()).isEqualTo(1);
    }

    @Test
    void toBeTurnedAwayOrToGetNoAnswerIsNotToBeLetIn() {
        change(1, 100, 200);
        read(201, 202, DISABLED);
        read(203, 204, ReadLog.UNAVAILABLE);
        assertThat(letIn()).isZero();
    }

    @Test
    void usersAreCheckedApart() {
        change(1, 100, 200);
        reads.add(nanos(201), nanos(202), USER + 1, ENABLED);
        assertThat(letIn()).isZero();
    }

    private void change(int version, long commitStarted, long confirmed) {
        changes.add(new Change(
                USER,
                version,
                2,
                nanos(commitStarted),
                nanos(commitStarted + 1),
                nanos(confirmed),
                Announcement.FENCE));
    }

    private void read(long asked, long answered, int code) {
        reads.add(nanos(asked), nanos(answered), USER, code);
    }

    private long letIn() {
        return check().letIn();
    }

    private RevocationChecker check() {
        RevocationChecker checker = new RevocationChecker(changes);
        checker.check(NODE, reads);
        return checker;
    }

    private static long nanos(long millis) {
        return Duration.ofMillis(millis).toNanos();
    }
}
