package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class CachePolicyTest {

    private static final Duration HALF_AN_HOUR = Duration.ofMinutes(30);

    private final CachePolicy policy = CachePolicy.of(HALF_AN_HOUR);

    @Test
    void theDefaults() {
        assertThat(policy.ttl()).isEqualTo(HALF_AN_HOUR);
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
        CachePolicy bounded =
                policy.toBuilder().stalenessBound(Duration.ofSeconds(5)).build();
        assertThat(bounded.unheardBound()).isEqualTo(Duration.ofSeconds(5));
        assertThat(bounded.toBuilder()
                        .serveStaleFor(Duration.ofSeconds(2))
                        .build()
                        .unheardBound())
                .isEqualTo(Duration.ofSeconds(2));
        assertThat(bounded.toBuilder().serveStaleFor(Duration.ZERO).build().unheardBound())
                .isZero();
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
        assertThat(policy.toBuilder().jitter(0).build().jittered(HALF_AN_HOUR, Math.nextDown(1.0)))
                .isEqualTo(HALF_AN_HOUR);
    }

    @Test
    void theShortestLifeSurvivesItsJitter() {
        assertThat(policy.toBuilder().jitter(0.99).build().jittered(Duration.ofMillis(1), Math.nextDown(1.0)))
                .isEqualTo(Duration.ofMillis(1));
    }

    @Test
    void aRefreshComesInTheLastShareOfALife() {
        assertThat(policy.toBuilder().jitter(0).build().refreshWindow()).isEqualTo(Duration.ofMinutes(3));
        assertThat(policy.toBuilder().jitter(0.5).build().refreshWindow())
                .as("of the shortest life")
                .isEqualTo(Duration.ofSeconds(90));
        assertThat(policy.toBuilder().refreshAhead(0).build().refreshWindow()).isZero();
    }

    @Test
    void eachSettingIsSetAndStaysWhenAnotherIsChanged() {
        CachePolicy changed = policy.toBuilder()
                .ttl(Duration.ofSeconds(1))
                .jitter(0.2)
                .absentTtl(Duration.ofSeconds(3))
                .stalenessBound(Duration.ofSeconds(4))
                .nearSize(7)
                .nearTtl(Duration.ofSeconds(6))
                .refreshAhead(0.3)
                .claimWait(Duration.ofSeconds(5))
                .serveStaleFor(Duration.ofSeconds(8))
                .maxLoads(9)
                .maxWaitingLoads(10)
                .maxWait(Duration.ofSeconds(11))
                .build();
        assertThat(changed.toBuilder().build()).isEqualTo(changed).hasSameHashCodeAs(changed);
        assertThat(changed.ttl()).isEqualTo(Duration.ofSeconds(1));
        assertThat(changed.jitter()).isEqualTo(0.2);
        assertThat(changed.absentTtl()).isEqualTo(Duration.ofSeconds(3));
        assertThat(changed.stalenessBound()).isEqualTo(Duration.ofSeconds(4));
        assertThat(changed.nearSize()).isEqualTo(7);
        assertThat(changed.nearTtl()).isEqualTo(Duration.ofSeconds(6));
        assertThat(changed.refreshAhead()).isEqualTo(0.3);
        assertThat(changed.claimWait()).isEqualTo(Duration.ofSeconds(5));
        assertThat(changed.serveStaleFor()).isEqualTo(Duration.ofSeconds(8));
        assertThat(changed.maxLoads()).isEqualTo(9);
        assertThat(changed.maxWaitingLoads()).isEqualTo(10);
        assertThat(changed.maxWait()).isEqualTo(Duration.ofSeconds(11));
        assertThat(changed)
                .hasToString(
                        "CachePolicy[ttl=PT1S, jitter=0.2, absentTtl=PT3S, stalenessBound=PT4S, nearSize=7, nearTtl=PT6S,"
                                + " refreshAhead=0.3, claimWait=PT5S, serveStaleFor=PT8S, maxLoads=9, maxWaitingLoads=10, maxWait=PT11S]");
    }

    @Test
    void policiesThatDifferInOneSettingDiffer() {
        assertThat(CachePolicy.builder().build()).isEqualTo(policy);
        List<UnaryOperator<CachePolicy.Builder>> changes = List.of(
                builder -> builder.ttl(Duration.ofSeconds(1)),
                builder -> builder.jitter(0),
                builder -> builder.absentTtl(Duration.ofSeconds(1)),
                builder -> builder.stalenessBound(Duration.ZERO),
                builder -> builder.nearSize(0),
                builder -> builder.nearTtl(Duration.ofSeconds(1)),
                builder -> builder.refreshAhead(0),
                builder -> builder.claimWait(Duration.ZERO),
                builder -> builder.serveStaleFor(Duration.ZERO),
                builder -> builder.maxLoads(1),
                builder -> builder.maxWaitingLoads(1),
                builder -> builder.maxWait(Duration.ZERO));
        assertThat(changes)
                .allSatisfy(change ->
                        assertThat(change.apply(policy.toBuilder()).build()).isNotEqualTo(policy));
    }

    @Test
    void aPolicyThatMakesNoSenseIsRefused() {
        CachePolicy.Builder builder = CachePolicy.builder();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.ttl(Duration.ofNanos(999_999)))
                .withMessageStartingWith("ttl");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.absentTtl(Duration.ZERO))
                .withMessageStartingWith("absentTtl");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.stalenessBound(Duration.ofSeconds(-1)))
                .withMessageStartingWith("stalenessBound");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.nearSize(-1))
                .withMessageStartingWith("nearSize");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.nearTtl(Duration.ZERO))
                .withMessageStartingWith("nearTtl");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.claimWait(Duration.ofSeconds(-1)))
                .withMessageStartingWith("claimWait");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.serveStaleFor(Duration.ofSeconds(-1)))
                .withMessageStartingWith("serveStaleFor");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.maxLoads(0))
                .withMessage("maxLoads must be at least 1, but is 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.maxWaitingLoads(-1))
                .withMessageStartingWith("maxWaitingLoads");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.maxWait(Duration.ofSeconds(-1)))
                .withMessageStartingWith("maxWait ");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder.ttl(ChronoUnit.FOREVER.getDuration()))
                .withMessageStartingWith("ttl must be at most ten years");
        for (double share : new double[] {-0.1, 1, Double.NaN}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.jitter(share))
                    .withMessageStartingWith("jitter");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.refreshAhead(share))
                    .withMessageStartingWith("refreshAhead");
        }
    }
}
