package dev.usher.redis;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvictionTest {

    @ParameterizedTest
    @CsvSource({
        "volatile-ttl, 1000000, true",
        "volatile-random, 1000000, true",
        "allkeys-random, 1000000, true",
        "volatile-ttl, 0, false",
        "allkeys-lru, 1000000, false",
        "volatile-lfu, 1000000, false",
        "noeviction, 1000000, false"
    })
    void policiesThatEvictYoungGuardsAreRecognised(String policy, long maxMemory, boolean takesYoungGuards) {
        String info = "# Memory\r\nused_memory:865000\r\nmaxmemory:" + maxMemory
                + "\r\nmaxmemory_human:1M\r\nmaxmemory_policy:" + policy + "\r\n";
        assertThat(requireNonNull(Eviction.parse(info)).takesYoungGuards()).isEqualTo(takesYoungGuards);
    }

    @ParameterizedTest
    @CsvSource({
        "9223372036854775807, 9223372036854775807",
        "9223372036854775808, 9223372036854775807",
        "18446744073709551615, 9223372036854775807",
        "99999999999999999999, 9223372036854775807",
        "00000000000000000007, 7"
    })
    void asMuchMemoryAsCanBeSetIsUnderstood(String said, long understood) {
        String info = "maxmemory:" + said + "\r\nmaxmemory_policy:volatile-ttl\r\n";
        assertThat(requireNonNull(Eviction.parse(info)).maxMemory()).isEqualTo(understood);
    }

    @ParameterizedTest
    @CsvSource({"''", "used_memory:865000", "maxmemory:0"})
    void aRedisThatDoesNotSayIsNotGuessedAt(String info) {
        assertThat(Eviction.parse(info)).isNull();
    }
}
