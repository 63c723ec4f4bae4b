package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FailoverTest {

    @ParameterizedTest
    @CsvSource({"1, 2, 4001, false", "1, 2, 4000, true", "2, 10, 5000, true", "0, 10, 5000, false", "x, 10, 5000, false"
    })
    void theLagAndTwoSecondsHaveToBeBelowTheSilenceOfTheSentinels(
            String toWrite, String maxLag, long downAfter, boolean isRisky) {
        String risk = Failover.riskOf(
                Map.of("min-replicas-to-write", toWrite, "min-replicas-max-lag", maxLag), Duration.ofMillis(downAfter));

        assertThat(risk != null).isEqualTo(isRisky);
    }

    @Test
    void aServerThatDoesNotSayIsNotSuspected() {
        assertThat(Failover.riskOf(Map.of(), Duration.ofSeconds(1))).isNull();
    }
}
