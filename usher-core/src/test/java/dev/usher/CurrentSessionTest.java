package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CurrentSessionTest {

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
}
