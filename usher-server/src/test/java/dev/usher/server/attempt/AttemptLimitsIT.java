package dev.usher.server.attempt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Node.Shared;
import dev.usher.server.Together;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Sha256;
import dev.usher.spring.RedisEndpoint;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisCluster;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanIterator;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Limits of attempts: on one node, on several, and without Redis. */
class AttemptLimitsIT {

    private static final AtomicLong PREFIXES = new AtomicLong();
    private static final String MOBILE = "13812345678";
    private static final String ADDRESS = "192.0.2.7";
    private static final Duration TIMEOUT = Duration.ofMillis(300);

    /** The default of the settings. */
    private static final Duration SHORT = Duration.ofMillis(100);

    private static final int MANY = 80;
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final String prefix = "attempts-" + PREFIXES.incrementAndGet();
    private final AtomicLong time = new AtomicLong(Instant.now().toEpochMilli());
    private final InstantSource clock = () -> Instant.ofEpochMilli(time.get());
    private final AtomicInteger made = new AtomicInteger();

    @Test
    void afterTheLastOneNoneIsMadeUntilTheTimeThatWasSaidHasPassed() throws Exception {
        try (Limits limits = limits(Shared.REDIS.uri(), 3, 100)) {
            for (int i = 0; i < 3; i++) {
                limits.fail(MOBILE, ADDRESS);
            }

            int seconds = limits.refused(MOBILE, "192.0.2.8");

            // One in 20 seconds; with a real clock, a part of the first 20 has passed already.
            assertThat(seconds).isEqualTo(20);
            assertThat(made).hasValue(3);
            time.addAndGet(Duration.ofSeconds(seconds).toMillis());
            limits.fail(MOBILE, ADDRESS);
            limits.refused(MOBILE, ADDRESS);
            limits.fail("13812345679", ADDRESS);
        }
    }

    @Test
    void anAttemptThatSucceedsOrBreaksDownDoesNotCount() throws Exception {
        try (Limits limits = limits(Shared.REDIS.uri(), 2, 2)) {
            limits.fail(MOBILE, ADDRESS);
            for (int i = 0; i < 5; i++) {
                limits.succeed(MOBILE, ADDRESS);
                limits.breakDown(MOBILE, ADDRESS);
            }
            limits.fail(MOBILE, ADDRESS);
            limits.refused(MOBILE, ADDRESS);
        }
    }

    @Test
    void ofManyAtOnceNoMoreAreMadeThanTheLimit() throws Exception {
        try (Limits one = limits(Shared.REDIS.uri(), 3, 100);
                Limits other = limits(Shared.REDIS.uri(), 3, 100)) {
            assertThat(failTogether(12, one, other)).isEqualTo(3);
        }
    }

    /** Each node lets ten of its forty go on to Redis. */
    @Test
    void ofManyAtOnceOnNodesThatHaveJustStartedNoMoreAreMadeThanTheLimit() throws Exception {
        try (Limits one = limits(Shared.REDIS.uri(), 10, 100, SHORT);
                Limits other = limits(Shared.REDIS.uri(), 10, 100, SHORT)) {
            // Fewer on a busy machine, where an answer may take longer than the timeout.
            assertThat(failTogether(MANY, one, other)).isBetween(1, 10);
        }
    }

    /** Each request begins with a GET, and is repeated when another node was first: one by one, these would be some five hundred. */
    @Test
    void manyAtOnceAskRedisTogetherAndTheLimitIsMadeThoughEachAnswerTakesAWhile() throws Exception {
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.REDIS.port());
                Limits one = limits("redis://127.0.0.1:" + proxy.port(), 10, 100);
                Limits other = limits("redis://127.0.0.1:" + proxy.port(), 10, 100)) {
            proxy.delay(Duration.ofMillis(5));
            long before = reads();

            assertThat(failTogether(MANY, one, other)).isEqualTo(10);

            assertThat(reads() - before).isLessThan(80);
        }
    }

    @Test
    void ofManyAtOnceNoMoreAreMadeThanTheLimitThoughRedisStandsStill() throws Exception {
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.REDIS.port());
                Limits one = limits("redis://127.0.0.1:" + proxy.port(), 10, 100, SHORT);
                Limits other = limits("redis://127.0.0.1:" + proxy.port(), 10, 100, SHORT)) {
            proxy.freeze();

            failTogether(MANY, one, other);
            // By now Redis is not asked any more, and each node counts for itself.
            assertThat(failTogether(MANY, one, other)).isLessThanOrEqualTo(10);
        }
    }

    @Test
    void severalAtOnceAreRefusedForASecondAfterRedisWasLateAndThenCountedByTheNode() throws Exception {
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.REDIS.port());
                Limits limits = limits("redis://127.0.0.1:" + proxy.port(), 100, 1000, SHORT)) {
            proxy.freeze();
            for (int i = 0; i < 5; i++) {
                limits.fail("1390000000" + i, ADDRESS);
            }

            limits.during(() -> limits.refused(MOBILE, ADDRESS));

            limits.fail("13900000009", ADDRESS);
            await().atMost(PATIENCE)
                    .ignoreExceptionsInstanceOf(ProblemException.class)
                    .untilAsserted(() -> limits.during(() -> limits.fail(MOBILE, ADDRESS)));
        }
    }

    /** The counts of these mobiles are on all primaries. */
    @Test
    void onAClusterNodesCountTogether() throws Exception {
        try (RedisCluster cluster = RedisCluster.builder().replicas(0).start()) {
            List<RedisURI> nodes = cluster.servers().stream()
                    .map(server -> RedisURI.create(server.uri()))
                    .toList();
            RedisEndpoint endpoint = new RedisEndpoint(nodes.get(0), nodes, ClientOptions.create());
            try (Limits one = limits(endpoint, 2, 1000, PATIENCE);
                    Limits other = limits(endpoint, 2, 1000, PATIENCE)) {
                for (int i = 10; i < 20; i++) {
                    String mobile = "138123456" + i;
                    one.fail(mobile, ADDRESS);
                    other.fail(mobile, ADDRESS);
                    one.refused(mobile, ADDRESS);
                }
            }
        }
    }

    /** As managed servers do, and proxies on the way. */
    @Test
    void aRedisThatClosesIdleConnectionsIsCountedIn() throws Exception {
        try (RedisServer redis = RedisServer.start("timeout 1");
                Limits one = limits(redis.uri(), 3, 100, TIMEOUT);
                Limits other = limits(redis.uri(), 3, 100, TIMEOUT);
                RedisClient client = RedisClient.create(redis.uri())) {
            client.setOptions(ClientOptions.builder().autoReconnect(false).build());
            var idle = client.connect();

            await().atMost(PATIENCE).until(() -> !idle.isOpen());

            one.fail(MOBILE, ADDRESS);
            other.fail(MOBILE, ADDRESS);
            one.fail(MOBILE, ADDRESS);
            other.refused(MOBILE, ADDRESS);
        }
    }

    @Test
    void withoutRedisANodeAllowsNoMoreAttemptsThanBefore() throws Exception {
        try (RedisServer redis = RedisServer.start();
                Limits limits = limits(redis.uri(), 3, 100)) {
            for (int i = 0; i < 3; i++) {
                limits.fail(MOBILE, ADDRESS);
            }
            assertThat(keys(redis)).hasSize(3);

            redis.kill();

            limits.refused(MOBILE, ADDRESS);
        }
    }

    @Test
    void anAddressOverItsLimitTakesNoAttemptsOfMobileNumbers() throws Exception {
        try (Limits one = limits(Shared.REDIS.uri(), 2, 4);
                Limits other = limits(Shared.REDIS.uri(), 2, 4)) {
            for (int i = 0; i < 4; i++) {
                one.fail("1390000000" + i, "2001:db8::" + i);
            }
            for (int i = 0; i < 4; i++) {
                other.refused(MOBILE, "2001:db8::9");
            }
            // Not even taken and given back: another caller could be refused in between.
            assertThat(keys()).noneMatch(key -> key.endsWith(Sha256.hex("mobile:" + MOBILE)));
            other.fail(MOBILE, ADDRESS);
            other.fail(MOBILE, ADDRESS);
            other.refused(MOBILE, ADDRESS);
        }
    }

    @Test
    void registrationsCountEachAndForThemselves() throws Exception {
        try (Limits limits = limits(Shared.REDIS.uri(), 10, 1)) {
            for (int i = 0; i < 3; i++) {
                limits.all.countRegistration(ADDRESS);
            }
            assertThatThrownBy(() -> limits.all.countRegistration(ADDRESS)).isInstanceOf(ProblemException.class);
            limits.fail(MOBILE, ADDRESS);
        }
    }

    @Test
    void attemptsWithoutALimitDoNotAskRedis() throws Exception {
        try (Limits limits = limits("redis://127.0.0.1:1", 0, 0, TIMEOUT)) {
            for (int i = 0; i < 20; i++) {
                limits.fail(MOBILE, ADDRESS);
            }
        }
        assertThat(keys()).isEmpty();
    }

    @Test
    void keysHoldNoNumbersHaveTheCachesPrefixAndExpire() throws Exception {
        try (Limits limits = limits(Shared.REDIS.uri(), 3, 100)) {
            limits.fail(MOBILE, ADDRESS);
            limits.all.countRegistration(ADDRESS);

            assertThat(keys()).hasSize(4).allSatisfy(key -> {
                assertThat(key).startsWith(prefix + ":attempts:").doesNotContain(MOBILE, ADDRESS);
                assertThat(Shared.redis().pttl(key)).isBetween(1L, 65_000L);
            });
        }
    }

    @Test
    void withoutRedisEachNodeCountsForItself() throws Exception {
        try (RedisServer redis = RedisServer.start();
                Limits one = limits(redis.uri(), 3, 100, TIMEOUT);
                Limits other = limits(redis.uri(), 3, 100, TIMEOUT)) {
            redis.kill();
            for (Limits limits : List.of(one, other)) {
                limits.fail(MOBILE, ADDRESS);
                limits.succeed(MOBILE, ADDRESS);
                limits.fail(MOBILE, ADDRESS);
                limits.fail(MOBILE, ADDRESS);
                assertThat(limits.refused(MOBILE, ADDRESS)).isEqualTo(20);
            }

            redis.restart();

            await().atMost(PATIENCE).untilAsserted(() -> {
                one.succeed("13812345679", ADDRESS);
                assertThat(keys(redis)).anyMatch(key -> key.endsWith(Sha256.hex("mobile:13812345679")));
            });
        }
    }

    @Test
    void tokensTakenLateForASuccessfulLoginAreGivenBack() throws Exception {
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.REDIS.port());
                Limits one = limits("redis://127.0.0.1:" + proxy.port(), 1, 100, SHORT);
                Limits other = limits(Shared.REDIS.uri(), 1, 100)) {
            proxy.freeze();
            one.succeed(MOBILE, ADDRESS);
            proxy.thaw();

            await().atMost(PATIENCE)
                    .until(() -> keys().stream().anyMatch(key -> key.endsWith(Sha256.hex("mobile:" + MOBILE))));
            await().atMost(PATIENCE).untilAsserted(() -> other.succeed(MOBILE, ADDRESS));
        }
    }

    @Test
    void onlyTheFirstFewWaitForARedisThatHangs() throws Exception {
        try (FaultProxy proxy = FaultProxy.inFrontOf("127.0.0.1", Shared.REDIS.port());
                Limits limits = limits("redis://127.0.0.1:" + proxy.port(), 1000, 1000, TIMEOUT)) {
            limits.fail(MOBILE, ADDRESS);
            proxy.freeze();

            long from = System.nanoTime();
            for (int i = 0; i < 100; i++) {
                limits.fail(MOBILE, ADDRESS);
            }

            // 300 ms each for five of them.
            assertThat(Duration.ofNanos(System.nanoTime() - from)).isBetween(TIMEOUT, TIMEOUT.multipliedBy(10));
            proxy.restore();
            long before = keys().size();
            await().atMost(PATIENCE).untilAsserted(() -> {
                limits.fail("13812345670", ADDRESS);
                assertThat(keys().size()).isGreaterThan((int) before);
            });
        }
    }

    @Test
    void aRedisThatAppearsLaterIsJoined() throws Exception {
        try (RedisServer redis = RedisServer.start()) {
            redis.kill();
            try (Limits limits = limits(redis.uri(), 1000, 1000, TIMEOUT)) {
                limits.fail(MOBILE, ADDRESS);
                redis.restart();
                await().atMost(PATIENCE).untilAsserted(() -> {
                    limits.fail(MOBILE, ADDRESS);
                    assertThat(keys(redis)).anyMatch(key -> key.contains("mobile"));
                });
            }
        }
    }

    /** How many were made, of these and before. */
    private int failTogether(int times, Limits one, Limits other) {
        int before = made.get();
        AtomicInteger turn = new AtomicInteger();
        List<Boolean> all = Together.run(times, () -> {
            try {
                (turn.incrementAndGet() % 2 == 0 ? one : other).fail(MOBILE, ADDRESS);
                return true;
            } catch (AssertionError e) {
                return false;
            }
        });
        int passed = (int) all.stream().filter(was -> was).count();
        assertThat(made).hasValue(before + passed);
        return made.get();
    }

    private Limits limits(String redis, int perMobile, int perAddress) {
        // On a busy machine Redis may take longer than the timeout, and the node would count for itself.
        return limits(redis, perMobile, perAddress, PATIENCE);
    }

    private Limits limits(String redis, int perMobile, int perAddress, Duration timeout) {
        return limits(
                new RedisEndpoint(RedisURI.create(redis), ClientOptions.create()), perMobile, perAddress, timeout);
    }

    private Limits limits(RedisEndpoint redis, int perMobile, int perAddress, Duration timeout) {
        return new Limits(new AttemptLimits(
                new UsherServerProperties.Attempts(perMobile, perAddress, 3, Duration.ofMinutes(1)),
                prefix,
                redis,
                timeout,
                Sha256::hex,
                clock));
    }

    /** Those of a node. */
    private final class Limits implements AutoCloseable {

        private final AttemptLimits all;

        Limits(AttemptLimits all) {
            this.all = all;
        }

        void fail(String mobile, String address) {
            assertThatThrownBy(() -> all.login(mobile, address, () -> {
                        made.incrementAndGet();
                        throw new ProblemException(ProblemType.BAD_CREDENTIALS);
                    }))
                    .hasMessage(ProblemType.BAD_CREDENTIALS.title());
        }

        /** Does something while an attempt is under way. */
        void during(Runnable other) {
            assertThat(all.login(MOBILE, ADDRESS, () -> {
                        other.run();
                        return "done";
                    }))
                    .isEqualTo("done");
        }

        void succeed(String mobile, String address) {
            assertThat(all.login(mobile, address, () -> "done")).isEqualTo("done");
        }

        void breakDown(String mobile, String address) {
            assertThatThrownBy(() -> all.login(mobile, address, () -> {
                        throw new IllegalStateException("broken");
                    }))
                    .hasMessage("broken");
        }

        /** Is not even made, and answers after how many seconds it could be. */
        int refused(String mobile, String address) {
            int before = made.get();
            AtomicInteger seconds = new AtomicInteger();
            assertThatThrownBy(() -> all.login(mobile, address, made::incrementAndGet))
                    .isInstanceOfSatisfying(ProblemException.class, e -> {
                        assertThat(e.problem().type()).isEqualTo(ProblemType.TOO_MANY_ATTEMPTS.uri());
                        seconds.set(Integer.parseInt(String.valueOf(e.headers().getFirst("Retry-After"))));
                    });
            assertThat(made).hasValue(before);
            return seconds.get();
        }

        @Override
        public void close() {
            all.destroy();
        }
    }

    private static long reads() {
        return Shared.redis()
                .info("commandstats")
                .lines()
                .filter(line -> line.startsWith("cmdstat_get:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("cmdstat_get:calls=([0-9]+),.*", "$1")))
                .sum();
    }

    private List<String> keys() {
        return ScanIterator.scan(Shared.redis(), ScanArgs.Builder.matches(prefix + ":*")).stream()
                .toList();
    }

    private List<String> keys(RedisServer redis) {
        try (RedisClient client = RedisClient.create(redis.uri())) {
            return client.connect().sync().keys(prefix + ":*");
        }
    }
}
