package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Which primaries are to be flushed; that of a user is the first letter of the id. */
class PendingFlushTest {

    private static final List<String> ALL = List.of("a", "b", "c");

    private final PendingFlush<String> flush = new PendingFlush<>(key -> key.substring(5, 6));

    @Test
    void onlyThePrimaryOfAChangeIsFlushed() {
        assertThat(flush.add("user:a1:profile", 1, ALL)).isTrue();
        assertThat(flush.covers("user:a2:profile")).isTrue();
        assertThat(flush.covers("user:a1:status")).isFalse();
        assertThat(flush.covers("user:b1:profile")).isFalse();
        assertThat(flush.begin("b")).isNull();

        assertThat(flush.begin("a")).isNotNull();
        assertThat(flush.begin("a")).as("once at a time").isNull();
        assertThat(flush.end("a", true, ALL)).isTrue();
        assertThat(flush.overflow()).isNull();
        assertThat(flush.covers("user:a2:profile")).isFalse();
    }

    @Test
    void aPrimaryThatCannotBeFlushedHoldsUpItsOwnUsersOnly() {
        flush.add("user:a1:profile", 1, ALL);
        assertThat(flush.add("user:b1:profile", 2, ALL)).isFalse();
        assertThat(requireNonNull(flush.overflow()).changes()).isEqualTo(2);
        flush.begin("a");
        flush.begin("b");
        assertThat(flush.end("a", false, ALL)).isFalse();
        assertThat(flush.end("b", true, ALL)).isFalse();

        assertThat(flush.covers("user:a2:profile")).isTrue();
        assertThat(flush.covers("user:b2:profile")).isFalse();
        assertThat(flush.begin("b")).as("again").isNull();
        assertThat(flush.begin("a")).isNotNull();
        assertThat(flush.end("a", true, ALL)).isTrue();
    }

    @Test
    void aChangeDuringTheFlushStartsItOver() {
        flush.add("user:a1:profile", 1, ALL);
        flush.begin("a");
        flush.add("user:a2:profile", 2, ALL);
        assertThat(flush.end("a", true, ALL)).isFalse();
        assertThat(flush.covers("user:a1:profile")).isTrue();
        assertThat(flush.begin("a")).isNotNull();
    }

    @Test
    void aChangeOfAnotherPrimaryDoesNot() {
        flush.add("user:a1:profile", 1, ALL);
        flush.begin("a");
        flush.add("user:b1:profile", 2, ALL);
        assertThat(flush.end("a", true, ALL)).isFalse();
        assertThat(flush.covers("user:a1:profile")).isFalse();
        assertThat(flush.covers("user:b1:profile")).isTrue();
    }

    @Test
    void aConnectionThatIsLostStartsTheFlushOfItsPrimaryOver() {
        flush.add("user:a1:profile", 1, ALL);
        flush.add("user:b1:profile", 1, ALL);
        flush.begin("a");
        flush.mayHaveMissed("a");
        assertThat(flush.end("a", true, ALL)).isFalse();
        assertThat(flush.covers("user:a1:profile")).isTrue();

        flush.begin("a");
        assertThat(flush.end("a", true, ALL)).isFalse();
        assertThat(flush.covers("user:a1:profile")).isFalse();
        flush.mayHaveMissed("a");
        assertThat(flush.covers("user:a1:profile")).as("its fences may be lost").isTrue();
    }

    /** The changes, whose keys are not known, may be of any primary then. */
    @Test
    void slotsThatMoveHaveAllPrimariesFlushed() {
        flush.add("user:a1:profile", 1, ALL);
        flush.begin("a");
        flush.mayHaveMissed();
        assertThat(flush.end("a", true, ALL)).isFalse();
        assertThat(ALL).allMatch(primary -> flush.covers("user:" + primary + "1:profile"));
        assertThat(flush.covers("user:d1:profile")).as("a new primary").isTrue();
        assertThat(ALL).allMatch(primary -> flush.begin(primary) != null);
        assertThat(flush.end("a", true, ALL)).isFalse();
        assertThat(flush.end("b", true, ALL)).isFalse();
        assertThat(flush.end("c", true, ALL)).isTrue();
    }
}
