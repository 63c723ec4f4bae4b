package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class CurrentSessionTest {

    private static final long LONG = Duration.ofHours(1).toNanos();

    private final CurrentSession current = new CurrentSession();

    @Test
    void aSessionBeginsAfterTheOneThatIsKnown() {
        Session next = Session.tracked(System.nanoTime());
        assertThat(current.replace(current.get(), next)).isTrue();
        assertThat(current.get()).isSameAs(next);
    }

    @Test
    void aSessionThatBeginsTooLateForItsConnectionDoesNotBegin() {
        Session before = current.get();
        // The connection is lost between the answer that tracking has begun and its being noted.
        current.replace(Session.untracked());
        assertThat(current.replace(before, Session.tracked(System.nanoTime()))).isFalse();
        assertThat(current.get().isTracked()).isFalse();
    }

    @Test
    void noSessionBeginsAfterTheEnd() {
        Session tracked = Session.tracked(System.nanoTime());
        current.replace(tracked);
        current.close();
        Session last = current.get();
        assertThat(tracked.isWithin(LONG, System.nanoTime())).isFalse();
        assertThat(last.isWithin(LONG, System.nanoTime())).isFalse();

        current.replace(Session.untracked());
        assertThat(current.replace(last, Session.tracked(System.nanoTime()))).isFalse();
        current.renew();
        assertThat(current.get()).isSameAs(last);
    }
}
