package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.json.JsonMapper;

/** What is reported to operators reads the same in JSON whatever class holds it: endpoints and scripts depend on it. */
class ReportedJsonTest {

    private static final JsonMapper MAPPER = new JsonMapper();

    @Test
    void health() {
        CachesHealth health = CachesHealth.builder()
                .redis(CachesHealth.Redis.FAILING)
                .lastError("failed: OOM")
                .watermarkAge(Duration.ofMillis(42))
                .pendingFences(3)
                .oldestPendingFence(Duration.ofSeconds(12))
                .fencesOverflowed(true)
                .topology(CachesHealth.Topology.SENTINEL)
                .primary("10.0.0.5:6379")
                .primaries(Map.of("10.0.0.5:6379", CachesHealth.Redis.FAILING))
                .role(CachesHealth.Role.PRIMARY)
                .replicas(2)
                .unfenced("replicas")
                .lag(null)
                .riskyEviction("allkeys-random")
                .unfitServer("is a replica")
                .sentinels("3 of 3 name 10.0.0.5:6379")
                .riskyFailover("lag")
                .source(Map.of("status", "x"))
                .uncached(Map.of("badges", "why"))
                .build();
        assertThat(MAPPER.writeValueAsString(health))
                .isEqualTo("{\"redis\":\"FAILING\",\"lastError\":\"failed: OOM\",\"nearOpen\":true,"
                        + "\"watermarkAge\":\"PT0.042S\",\"pendingFences\":3,\"oldestPendingFence\":\"PT12S\","
                        + "\"fencesOverflowed\":true,\"resp2Only\":false,\"topology\":\"SENTINEL\","
                        + "\"primary\":\"10.0.0.5:6379\",\"primaries\":{\"10.0.0.5:6379\":\"FAILING\"},\"role\":\"PRIMARY\",\"replicas\":2,\"unfenced\":\"replicas\","
                        + "\"lag\":null,\"riskyEviction\":\"allkeys-random\","
                        + "\"unfitServer\":\"is a replica\",\"sentinels\":\"3 of 3 name 10.0.0.5:6379\",\"riskyFailover\":\"lag\","
                        + "\"source\":{\"status\":\"x\"},\"uncached\":{\"badges\":\"why\"},\"well\":false}");
    }

    @Test
    void healthWithAnApplicationsNames() {
        JsonMapper snakes = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .build();
        assertThat(snakes.writeValueAsString(CachesHealth.builder().build()))
                .isEqualTo("{\"redis\":\"ANSWERING\",\"last_error\":null,\"near_open\":true,\"watermark_age\":\"PT0S\","
                        + "\"pending_fences\":0,\"oldest_pending_fence\":null,\"fences_overflowed\":false,"
                        + "\"resp2_only\":false,\"topology\":\"STANDALONE\",\"primary\":null,\"primaries\":{},\"role\":\"PRIMARY\",\"replicas\":0,"
                        + "\"unfenced\":null,\"lag\":\"PT0S\",\"risky_eviction\":null,\"unfit_server\":null,"
                        + "\"sentinels\":null,\"risky_failover\":null,\"source\":{},\"uncached\":{},\"well\":true}");
    }

    @Test
    void statistics() {
        Counters counters = new Counters();
        long times = 0;
        for (LongAdder each : List.of(
                counters.nearPresent,
                counters.nearAbsent,
                counters.sharedPresent,
                counters.sharedAbsent,
                counters.sourcePresent,
                counters.sourceAbsent,
                counters.stalePresent,
                counters.staleAbsent,
                counters.unavailable,
                counters.loads,
                counters.loadFailures,
                counters.loadsRejected,
                counters.loadedUsers,
                counters.loadNanos,
                counters.fillsRefused,
                counters.fillsNotEncoded,
                counters.offersStored,
                counters.offersRefused,
                counters.claimWaits,
                counters.refreshes,
                counters.nearInvalidations,
                counters.unreadable,
                counters.sharedErrors)) {
            each.add(++times);
        }
        CacheStats stats = new CacheStats(counters, 24, 25, 26, Duration.ofMillis(27));
        assertThat(MAPPER.writeValueAsString(stats))
                .isEqualTo("{\"nearPresent\":1,\"nearAbsent\":2,\"sharedPresent\":3,\"sharedAbsent\":4,"
                        + "\"sourcePresent\":5,\"sourceAbsent\":6,\"stalePresent\":7,\"staleAbsent\":8,\"unavailable\":9,"
                        + "\"loads\":10,\"loadFailures\":11,\"loadsRejected\":12,\"loadedUsers\":13,"
                        + "\"loadTime\":\"PT0.000000014S\",\"fillsRefused\":15,\"fillsNotEncoded\":16,\"offersStored\":17,"
                        + "\"offersRefused\":18,\"claimWaits\":19,\"refreshes\":20,\"nearInvalidations\":21,"
                        + "\"unreadable\":22,\"sharedErrors\":23,\"sharedBatches\":24,\"sharedReads\":25,"
                        + "\"pendingFences\":26,\"watermarkAge\":\"PT0.027S\"}");
        assertThat(stats.toString())
                .startsWith("CacheStats[nearPresent=1, nearAbsent=2, ")
                .endsWith(", pendingFences=26, watermarkAge=PT0.027S]");
        assertThat(stats.nearHits()).isEqualTo(3);
        assertThat(stats.sharedHits()).isEqualTo(7);
        assertThat(stats.sourceAnswers()).isEqualTo(11);
        assertThat(stats.staleAnswers()).isEqualTo(15);
        assertThat(stats.nearOpen()).isTrue();
    }

    @Test
    void anExplanation() {
        Explanation<String> explanation = Explanation.<String>builder("user:42:name")
                .slot(7)
                .primary("10.0.0.5:6379")
                .near(new Explanation.Holding.Value<>("Ann"))
                .sharedTtl(Duration.ofSeconds(1))
                .guard(Explanation.Guard.FENCE)
                .source(new Explanation.Holding.Unknown<>("why"))
                .build();
        assertThat(MAPPER.writeValueAsString(explanation))
                .isEqualTo(
                        "{\"key\":\"user:42:name\",\"slot\":7,\"primary\":\"10.0.0.5:6379\",\"near\":{\"value\":\"Ann\"},\"shared\":{},\"sharedTtl\":\"PT1S\","
                                + "\"guard\":\"FENCE\",\"guardTtl\":null,\"invalidationPending\":false,"
                                + "\"source\":{\"reason\":\"why\"}}");
        assertThat(explanation.map(name -> name)).isEqualTo(explanation).hasSameHashCodeAs(explanation);
        assertThat(explanation.map(name -> "A.")).isNotEqualTo(explanation);
    }
}
