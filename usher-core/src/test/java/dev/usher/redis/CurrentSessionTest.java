package dev.usher.redis;

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
        // The connection is lost after the answer that tracking has begun, and before the node has noted it.
        current.replace(Session.untracked());
        assertThat(current.replace(before, Session.tracked(System.nanoTime()))).isFalse();
        assertThat(current.get().isTracked()).isFalse();
    }

    @Test
    void whatIsDistrustedIsAnsweredAgainWhenAllFromBeforeHasBeenSeen() {
        long now = System.nanoTime();
        Session session = Session.tracked(now);
        current.replace(session);
        current.distrust(now + 1000);
        assertThat(session.isWithin(LONG, now + 1001)).isFalse();

        session.seenUpTo(now + 900); // a heartbeat from before
        assertThat(session.isWithin(LONG, now + 1001)).isFalse();
        assertThat(session.age(now + 1001))
                .as("the watermark that health shows")
                .isEqualTo(101);

        session.seenUpTo(now + 1002);
        assertThat(session.isWithin(LONG, now + 1003)).isTrue();
        assertThat(current.get()).isSameAs(session);
    }

    @Test
    void whatIsDistrustedStaysSoInTheSessionThatFollows() {
        long now = System.nanoTime();
        current.replace(Session.tracked(now));
        current.distrust(now + 1000);
        current.renew();
        current.get().seenUpTo(now + 900);
        assertThat(current.get().isWithin(LONG, now + 1001)).isFalse();
        current.get().seenUpTo(now + 1002);
        assertThat(current.get().isWithin(LONG, now + 1003)).isTrue();
    }

    @Test
    void anUntrackedSessionEndsWhenItIsDistrusted() {
        Session before = current.get();
        current.distrust(System.nanoTime());
        assertThat(current.get()).isNotSameAs(before);
        assertThat(before.isWithin(LONG, System.nanoTime())).isFalse();
        assertThat(current.get().isWithin(LONG, System.nanoTime())).isTrue();
    }

    /** It has seen nothing, and would never see more. */
    @Test
    void anUntrackedSessionGoesOnAfterARefusedHeartbeat() {
        Session untracked = current.get();
        untracked.seenNoLaterThan(System.nanoTime() - LONG - 1000);
        assertThat(untracked.isWithin(LONG, System.nanoTime())).isTrue();
    }

    @Test
    void aRefusedHeartbeatTakesBackWhatWasSeenUntilTheNextOne() {
        long now = System.nanoTime();
        Session session = Session.tracked(now);
        session.seenNoLaterThan(now - 100);
        assertThat(session.isWithin(99, now)).isFalse();
        assertThat(session.isWithin(100, now)).isTrue();

        session.seenUpTo(now);
        assertThat(session.isWithin(0, now)).isTrue();
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
        current.distrust(System.nanoTime());
        assertThat(current.get()).isSameAs(last);
    }

    @Test
    void aSessionWithinAnotherHasSeenNoMoreAndLastsNoLonger() {
        long now = System.nanoTime();
        Session outer = Session.tracked(now);
        Session inner = Session.within(outer);
        assertThat(inner.isWithin(0, now)).isTrue();
        assertThat(inner.isWithin(0, now + 1)).isFalse();
        outer.seenUpTo(now + 10);
        assertThat(inner.isWithin(0, now + 10)).isTrue();
        assertThat(inner.knownUntil(now)).isEqualTo(now + 10);

        outer.end();
        assertThat(inner.isWithin(LONG, now + 10)).isFalse();
    }

    @Test
    void aSessionThatIsHeldSeesNothingUntilItIsReleased() {
        long now = System.nanoTime();
        Session outer = Session.tracked(now);
        Session inner = Session.within(outer);
        inner.hold();
        outer.seenUpTo(now + 10);
        inner.hold();
        assertThat(inner.isWithin(9, now + 10)).isFalse();
        assertThat(inner.isWithin(10, now + 10)).isTrue();
        assertThat(inner.knownUntil(now)).isEqualTo(now);

        inner.release();
        assertThat(inner.isWithin(0, now + 10)).isTrue();
    }

    @Test
    void theEndOfASessionIsNotThatOfTheOuterOne() {
        long now = System.nanoTime();
        Session outer = Session.tracked(now);
        Session inner = Session.within(outer);
        inner.end();
        inner.release();
        outer.seenUpTo(now + 10);
        assertThat(inner.isWithin(LONG, now + 10)).isFalse();
        assertThat(inner.knownUntil(now)).isEqualTo(now);
        assertThat(outer.isWithin(0, now + 10)).isTrue();
    }
}
