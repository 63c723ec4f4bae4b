package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RecentKeysTest {

    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    /** Of a clock that is about to begin again with negative numbers, as {@code nanoTime} may. */
    private static final long NOW = Long.MAX_VALUE - SECOND;

    private final RecentKeys recent = new RecentKeys(3);

    @Test
    void whatWasConfirmedInTheLastMinuteIsRecent() {
        recent.add("a", NOW, NOW);
        recent.add("b", NOW + 2 * SECOND, NOW + 2 * SECOND);
        assertThat(recent.takeAll(NOW + 61 * SECOND, key -> true)).containsExactly("b");
    }

    @Test
    void theLatestConfirmationOfAKeyCounts() {
        recent.add("a", NOW, NOW);
        recent.add("b", NOW + SECOND, NOW + SECOND);
        recent.add("a", NOW + 2 * SECOND, NOW + 2 * SECOND);
        assertThat(recent.takeAll(NOW + 62 * SECOND, key -> true)).containsExactly("a");
    }

    @Test
    void ofManyTheEarliestAreForgotten() {
        for (String key : new String[] {"a", "b", "c", "a", "d"}) {
            recent.add(key, NOW, NOW);
        }
        assertThat(recent.takeAll(NOW, key -> true)).containsExactly("c", "a", "d");
    }

    @Test
    void whatIsTakenIsGone() {
        recent.add("a", NOW, NOW);
        assertThat(recent.takeAll(NOW, key -> true)).containsExactly("a");
        assertThat(recent.takeAll(NOW, key -> true)).isEmpty();
    }

    /** A fence that was confirmed since may be lost with a primary that had been replaced, for as long as that was not known. */
    @Test
    void theMinuteEndsWhenRedisWasProvenToBeThePrimary() {
        recent.add("a", NOW, NOW);
        recent.add("b", NOW + 600 * SECOND, NOW + 60 * SECOND);
        assertThat(recent.takeAll(NOW + 60 * SECOND, key -> true)).containsExactly("a", "b");
    }
}
