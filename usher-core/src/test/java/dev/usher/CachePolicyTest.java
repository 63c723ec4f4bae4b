package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.Test;

class CachePolicyTest {

    private static final Duration HALF_AN_HOUR = Duration.ofMinutes(30);

    private final CachePolicy policy = CachePolicy.of(HALF_AN_HOUR);

    @Test
    void theDefaults() {
        assertThat(policy.jitter()).isEqualTo(0.1);
        assertThat(policy.absentTtl()).isEqualTo(Duration.ofSeconds(60));
        assertThat(policy.stalenessBound()).isEqualTo(Duration.ofSeconds(5));
        assertThat(policy.nearSize()).isEqualTo(10_000);
        assertThat(policy.nearTtl()).isEqualTo(Duration.ofMinutes(5));
        assertThat(policy.refreshAhead()).isEqualTo(0.1);
        assertThat(policy.claimWait()).isEqualTo(Duration.ofSeconds(1));
        assertThat(policy.serveStaleFor()).isEqualTo(Duration.ofMinutes(5));
        assertThat(policy.maxLoads()).isEqualTo(4);
        assertThat(policy.maxWaitingLoads()).isEqualTo(1000);
        assertThat(policy.maxWait()).isEqualTo(Duration.ofSeconds(3));
    }

    @Test
    void theSpecificationsLives() {
        assertThat(UserProfile.FACET.policy().ttl()).isEqualTo(HALF_AN_HOUR);
        assertThat(UserStatus.FACET.policy().ttl()).isEqualTo(Duration.ofMinutes(60));
        assertThat(UserProfile.FACET.policy().stalenessBound()).isEqualTo(Duration.ofSeconds(5));
        assertThat(UserStatus.FACET.policy().stalenessBound()).isEqualTo(Duration.ofSeconds(1));
    }

    @Test
    void noUserIsLetInOnAGuess() {
        assertThat(UserStatus.FACET.policy().serveStaleFor()).isZero();
        assertThat(UserProfile.FACET.policy().serveStaleFor()).isEqualTo(Duration.ofMinutes(5));
    }

    @Test
    void withoutRedisAnAnswerIsRepeatedForTheShorterOfItsTwoBounds() {
        CachePolicy bounded = policy.withStalenessBound(Duration.ofSeconds(5));
        assertThat(bounded.unheardBound()).isEqualTo(Duration.ofSeconds(5));
        assertThat(bounded.withServeStaleFor(Duration.ofSeconds(2)).unheardBound())
                .isEqualTo(Duration.ofSeconds(2));
        assertThat(bounded.withServeStaleFor(Duration.ZERO).unheardBound()).isZero();
    }

    @Test
    void jitterOnlyShortensALife() {
        assertThat(policy.jittered(HALF_AN_HOUR, 0)).isEqualTo(HALF_AN_HOUR);
        assertThat(policy.jittered(HALF_AN_HOUR, 0.5)).isEqualTo(Duration.ofSeconds(1710));
        assertThat(policy.jittered(HALF_AN_HOUR, Math.nextDown(1.0)))
                .isBetween(Duration.ofSeconds(1620), Duration.ofSeconds(1621));
    }

    @Test
    void withoutJitterEveryLifeIsTheLongest() {
        assertThat(policy.withJitter(0).jittered(HALF_AN_HOUR, Math.nextDown(1.0)))
                .isEqualTo(HALF_AN_HOUR);
    }

    @Test
    void theShortestLifeSurvivesItsJitter() {
        assertThat(policy.withJitter(0.99).jittered(Duration.ofMillis(1), Math.nextDown(1.0)))
                .isEqualTo(Duration.ofMillis(1));
    }

    @Test
    void aRefreshComesInTheLastShareOfALife() {
        assertThat(policy.withJitter(0).refreshWindow()).isEqualTo(Duration.ofMinutes(3));
        assertThat(policy.withJitter(0.5).refreshWindow())
                .as("of the shortest life")
                .isEqualTo(Duration.ofSeconds(90));
        assertThat(policy.withRefreshAhead(0).refreshWindow()).isZero();
    }

    @Test
    void eachWitherChangesOneThing() {
        CachePolicy changed = policy.withTtl(Duration.ofSeconds(1))
                .withJitter(0.2)
                .withAbsentTtl(Duration.ofSeconds(3))
                .withStalenessBound(Duration.ofSeconds(4))
                .withNearSize(7)
                .withNearTtl(Duration.ofSeconds(6))
                .withRefreshAhead(0.3)
                .withClaimWait(Duration.ofSeconds(5))
                .withServeStaleFor(Duration.ofSeconds(8))
                .withMaxLoads(9)
                .withMaxWaitingLoads(10)
                .withMaxWait(Duration.ofSeconds(11));
        assertThat(changed)
                .isEqualTo(new CachePolicy(
                        Duration.ofSeconds(1),
                        0.2,
                        Duration.ofSeconds(3),
                        Duration.ofSeconds(4),
                        7,
                        Duration.ofSeconds(6),
                        0.3,
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(8),
                        9,
                        10,
                        Duration.ofSeconds(11)));
    }

    @Test
    void aPolicyThatMakesNoSenseIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withTtl(Duration.ofNanos(999_999)))
                .withMessageStartingWith("ttl");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withAbsentTtl(Duration.ZERO))
                .withMessageStartingWith("absentTtl");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withStalenessBound(Duration.ofSeconds(-1)))
                .withMessageStartingWith("stalenessBound");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withNearSize(-1))
                .withMessageStartingWith("nearSize");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withNearTtl(Duration.ZERO))
                .withMessageStartingWith("nearTtl");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withClaimWait(Duration.ofSeconds(-1)))
                .withMessageStartingWith("claimWait");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withServeStaleFor(Duration.ofSeconds(-1)))
                .withMessageStartingWith("serveStaleFor");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withMaxLoads(0))
                .withMessage("maxLoads must be at least 1, but is 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withMaxWaitingLoads(-1))
                .withMessageStartingWith("maxWaitingLoads");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withMaxWait(Duration.ofSeconds(-1)))
                .withMessageStartingWith("maxWait ");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> policy.withTtl(ChronoUnit.FOREVER.getDuration()))
                .withMessageStartingWith("ttl must be at most ten years");
        for (double share : new double[] {-0.1, 1, Double.NaN}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> policy.withJitter(share))
                    .withMessageStartingWith("jitter");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> policy.withRefreshAhead(share))
                    .withMessageStartingWith("refreshAhead");
        }
    }
}
