package dev.usher;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.awaitility.Awaitility.await;

import dev.usher.Explanation.Guard;
import dev.usher.redis.GuardProtocol;
import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Claiming;
import dev.usher.redis.GuardProtocol.Fill;
import dev.usher.redis.GuardProtocol.Filling;
import dev.usher.redis.GuardProtocol.Refresh;
import dev.usher.redis.KeySpace;
import dev.usher.redis.NodeRegister;
import dev.usher.redis.Revocations;
import dev.usher.redis.SharedTierException;
import dev.usher.redis.Timeouts;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Old and new nodes share a Redis during a rolling upgrade: today's code understands the data of each release, and writes the data of
 * the latest one. Each file of {@code formats} is replayed; a release that changes a file adds it in a folder of its own.
 */
class FormatsIT extends NodesOnRedis {

    private static final UserProfile ANN =
            new UserProfile("13800000000", "\u5b89 \"Ann\"", "https://example.org/a.png", true, "", "");

    private static final String KEY = "user:42:profile";
    private static final String REGISTER = "{user:nodes}";
    private static final String SIGNAL = "{user:nodes}:signal";
    private static final Set<String> OF_EARLIER_RELEASES_ONLY = Set.of("register", "revocation");
    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();
    private static final String OTHER = "4711@elsewhere-0a1b2c3d";
    private static final String TOKEN = "9b2f7c1e-0c1d-4c35-8d0f-6f4f4a3b2c1d.17";
    private static final String EPOCH = "5d0c8a52-7f0e-4a53-9a52-3c1b2a4d5e6f";
    private static final byte[] VALUE = UserProfile.FACET.codec().encode(ANN);
    private static final Duration TTL = Duration.ofMinutes(30);
    private static final Timeouts TIMEOUTS = (nanos, task) -> () -> {};

    /** The time that a new claim has left, in milliseconds. */
    private static final long LEASE = GuardProtocol.LEASE.toMillis() - 1;

    private static final Map<Long, UserProfile> ROWS = new ConcurrentHashMap<>();
    private static final Map<Long, UserStatus> STATUS_ROWS = new ConcurrentHashMap<>();
    private static final AtomicInteger QUERIES = new AtomicInteger();

    /** One for all tests: it has no state of its own. */
    private static UserCaches node;

    private static UserCache<Long, UserProfile> profiles;
    private static UserStatusCache<Long> statuses;

    static List<Format> all() {
        return Format.all();
    }

    static List<Format> latest() {
        return Format.latest().stream()
                .filter(format -> !OF_EARLIER_RELEASES_ONLY.contains(format.name()))
                .toList();
    }

    @BeforeAll
    static void startNode() {
        node = UserCaches.builder()
                .redis(uri())
                .commandTimeout(Duration.ofSeconds(1))
                .build();
        profiles = node.cache(exact(UserProfile.FACET), Long.class, ids -> {
            QUERIES.incrementAndGet();
            return ROWS;
        });
        statuses = new UserStatusCache<>(node.cache(exact(UserStatus.FACET), Long.class, ids -> {
            QUERIES.incrementAndGet();
            return STATUS_ROWS;
        }));
    }

    private static <V> Facet<V> exact(Facet<V> facet) {
        return facet.with(facet.policy().toBuilder().jitter(0).nearSize(0).build());
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    /** But for the register: Redis would not be believed for a while without it. */
    @Override
    @BeforeEach
    void emptyRedis() {
        redis.keys("*").stream().filter(key -> !key.contains(":nodes}")).forEach(redis::del);
    }

    @BeforeEach
    void emptyTable() {
        ROWS.clear();
        STATUS_ROWS.clear();
        QUERIES.set(0);
        letRedisBeBelieved();
    }

    @ParameterizedTest
    @MethodSource("all")
    void whatAReleaseHasWrittenIsUnderstood(Format format) throws Exception {
        switch (format.name()) {
            case "profile" -> {
                format.load(redis, Map.of());
                assertThat(profiles.find(42L)).contains(ANN);
                assertThat(QUERIES).hasValue(0);
            }
            case "profile-absent" -> {
                format.load(redis, Map.of());
                assertThat(profiles.find(42L)).isEmpty();
                assertThat(QUERIES).hasValue(0);
            }
            case "status-enabled", "status-disabled", "status-absent" -> {
                format.load(redis, Map.of());
                assertThat(statuses.isEnabled(42L)).isEqualTo(format.name().equals("status-enabled"));
                assertThat(statuses.find(42L).isEmpty()).isEqualTo(format.name().equals("status-absent"));
                assertThat(QUERIES).hasValue(0);
            }
            case "fence" -> {
                format.load(redis, Map.of());
                assertThat(profiles.explain(42L).guard()).isEqualTo(Guard.FENCE);
                assertThat(profiles.save(42L, ANN, Instant.now())).isFalse();
                assertThat(claim("mine")).isInstanceOf(Claim.Granted.class);
            }
            case "claim" -> {
                // A busy machine may let a lease pass.
                soon().untilAsserted(() -> {
                    format.load(redis, claimUntil(LEASE));
                    assertThat(claim("mine")).isInstanceOf(Claim.Held.class);
                    assertThat(profiles.explain(42L).guard()).isEqualTo(Guard.CLAIM);
                    assertThat(profiles.save(42L, ANN, Instant.now())).isFalse();
                    assertThat(fill("mine")).isFalse();
                    assertThat(fill(TOKEN)).as("by the node whose claim it is").isTrue();
                    redis.del(KEY);
                });
                format.load(redis, claimUntil(-1));
                assertThat(fill(TOKEN)).as("past the deadline").isFalse();
                assertThat(claim("mine")).isInstanceOf(Claim.Granted.class);
            }
            case "claim-given-up" -> {
                format.load(redis, claimUntil(0));
                assertThat(profiles.explain(42L).guard()).isEqualTo(Guard.FENCE);
                assertThat(profiles.save(42L, ANN, Instant.now())).isFalse();
                assertThat(claim("mine")).isInstanceOf(Claim.Granted.class);
            }
            case "claim-of-a-refresh" -> {
                soon().untilAsserted(() -> {
                    format.load(redis, claimUntil(LEASE));
                    assertThat(refresh()).isInstanceOf(Refresh.Unneeded.class);
                    assertThat(profiles.find(42L)).contains(ANN);
                });
                format.load(redis, claimUntil(-1));
                assertThat(refresh()).isInstanceOf(Refresh.Granted.class);
            }
            case "register", "revocation" -> assertOldRegisterIsUnderstood(format);
            case "signal", "signal-revoked" -> assertSignalIsUnderstood(format);
            default -> fail("%s is not played", format);
        }
    }

    /**
     * The nodes of version 0.1 are in a register of their own: a receipt waits for the bound while one of them is there, and it is dropped after a long
     * silence.
     */
    private void assertOldRegisterIsUnderstood(Format format) throws Exception {
        NodeRegister register = node.engine().shared().register();
        dropRegister("user");
        format.load(redis, register(now()));
        soon().until(() -> redis.hexists(REGISTER, "#home:user"));
        soon().until(() -> register.isComplete(BOUND));
        Revocations.Numbered revocation =
                requireNonNull(register.revocations().revoke(List.of(KEY), Duration.ofSeconds(1)));
        soon().until(() -> register.revocations()
                .progressOf(revocation, BOUND, Duration.ofSeconds(1))
                .isSeenByAll());
        assertThat(register.revocations()
                        .progressOf(revocation, BOUND, Duration.ofSeconds(1))
                        .isComplete())
                .isFalse();

        redis.hset(
                REGISTER, OTHER, redis.hget(REGISTER, OTHER).replaceFirst(" \\d{13} ", " " + (now() - 11_000) + " "));
        soon().until(() -> !redis.hexists(REGISTER, OTHER));
        soon().until(() -> register.revocations()
                .progressOf(revocation, BOUND, Duration.ofSeconds(1))
                .isComplete());
    }

    /** A register that is not whole is replaced, and its last number counts for nothing. */
    private static void assertSignalIsUnderstood(Format format) throws Exception {
        dropRegister("user");
        format.load(
                redis,
                Map.of("epoch", EPOCH, "history", "0".repeat(40), "uuid", EPOCH, "moment", Long.toString(now())));
        soon().until(() -> redis.get(SIGNAL) != null && !redis.get(SIGNAL).contains(EPOCH));
        assertThat(node.engine().shared().register().revocations().revoke(List.of(KEY), Duration.ofSeconds(1)))
                .isNotNull();
    }

    /** Not only the keys, but their meaning may be another one: such a register is left to the nodes that know it. */
    @Test
    void aRegisterOfALaterFormatIsLeftAsItIs() {
        String later = "3 whatever it may say";
        redis.set(SIGNAL, later);
        try {
            soon().until(() -> node.engine().shared().register().otherFormat() != null);
            redis.keys("{user:nodes}*").stream()
                    .filter(key -> !key.equals(SIGNAL))
                    .forEach(redis::del);

            RevocationReceipt receipt = statuses.disable(42L, () -> STATUS_ROWS.put(42L, UserStatus.DISABLED));

            assertThat(receipt.reason()).isEqualTo(RevocationReceipt.Reason.OTHER_REGISTER);
            assertThat(statuses.isEnabled(42L)).isFalse();
            int queries = QUERIES.get();
            soon().until(() -> {
                int before = QUERIES.get();
                statuses.isEnabled(42L);
                return QUERIES.get() == before + 1;
            });
            assertThat(QUERIES.get()).as("the source is asked").isGreaterThan(queries);
            assertThat(redis.get(SIGNAL)).isEqualTo(later);
            assertThat(redis.keys("{user:nodes}*")).containsExactly(SIGNAL);
        } finally {
            redis.del(SIGNAL);
        }
        soon().until(() -> profiles.stats().nearOpen());
    }

    @ParameterizedTest
    @MethodSource("latest")
    void whatIsWrittenTodayIsWhatTheLatestReleaseWrote(Format format) throws Exception {
        GuardProtocol guards = node.engine().shared().guards(KEY);
        switch (format.name()) {
            case "profile" -> {
                ROWS.put(42L, ANN);
                assertThat(profiles.find(42L)).contains(ANN);
                soon().untilAsserted(() -> format.assertWritten(redis));
                redis.del(KEY, KeySpace.guardOf(KEY));
                assertThat(profiles.save(42L, ANN, Instant.now())).isTrue();
            }
            case "profile-absent" -> {
                profiles.find(42L);
                awaitLoads(node);
                profiles.find(42L); // asked for again, the absence is stored
            }
            case "status-enabled", "status-disabled" -> {
                STATUS_ROWS.put(42L, format.name().equals("status-enabled") ? UserStatus.ENABLED : UserStatus.DISABLED);
                statuses.find(42L);
            }
            case "status-absent" -> {
                statuses.find(42L);
                awaitLoads(node);
                statuses.find(42L);
            }
            case "fence" -> {
                redis.set(KEY, "old");
                assertThat(profiles.invalidate(42L)).isTrue();
                assertThat(redis.exists(KEY)).isZero();
            }
            case "claim" -> claim(node.engine().nextToken());
            case "claim-given-up" -> {
                String token = node.engine().nextToken();
                claim(token);
                guards.release(KEY, token, false);
            }
            case "claim-of-a-refresh" -> {
                redis.psetex(KEY, TTL.toMillis(), new String(VALUE, UTF_8));
                assertThat(guards.refresh(KEY, node.engine().nextToken(), TTL).join())
                        .isInstanceOf(Refresh.Granted.class);
            }
            case "signal" -> dropRegister("user");
            case "signal-revoked" -> {
                dropRegister("user");
                soon().until(() -> redis.exists(SIGNAL) == 1);
                node.engine().shared().register().revocations().revoke(List.of(KEY), Duration.ofSeconds(1));
            }
            default -> fail("%s is not played", format);
        }

        soon().untilAsserted(() -> assertInTime(format.assertWritten(redis), format.name()));
        assertThat(redis.keys("*").stream().filter(key -> !key.startsWith(REGISTER)))
                .as("and nothing else")
                .isSubsetOf(format.keys().keySet());
    }

    private static void assertInTime(Map<String, String> variables, String name) {
        if (variables.containsKey("moment")) {
            assertThat(now() - Long.parseLong(variables.get("moment"))).isBetween(0L, 5000L);
        }
        if (variables.containsKey("deadline")) {
            long left = Long.parseLong(variables.get("deadline")) - now();
            assertThat(left).isLessThanOrEqualTo(name.equals("claim-given-up") ? 0L : GuardProtocol.LEASE.toMillis());
        }
    }

    private Claim claim(String token) throws SharedTierException {
        GuardProtocol guards = node.engine().shared().guards(KEY);
        return guards.awaitAll(List.of(guards.claim(List.of(new Claiming(KEY, token, null)), TIMEOUTS)))
                .get(0)
                .get(0);
    }

    private boolean fill(String token) throws SharedTierException {
        GuardProtocol guards = node.engine().shared().guards(KEY);
        return guards.awaitAll(List.of(guards.fill(List.of(new Filling(KEY, token, VALUE, TTL, null)), TIMEOUTS)))
                        .get(0)
                        .get(0)
                == Fill.STORED;
    }

    private Refresh refresh() {
        return node.engine().shared().guards(KEY).refresh(KEY, "mine", TTL).join();
    }

    private static Map<String, String> claimUntil(long millisFromNow) {
        return Map.of("token", TOKEN, "deadline", Long.toString(now() + millisFromNow));
    }

    private static Map<String, String> register(long moment) {
        return Map.of("node", OTHER, "epoch", EPOCH, "moment", Long.toString(moment));
    }

    private static ConditionFactory soon() {
        return await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(10));
    }

    /** The time by the clock of Redis, in milliseconds. */
    private static long now() {
        List<String> time = redis.time();
        return Long.parseLong(time.get(0)) * 1000 + Long.parseLong(time.get(1)) / 1000;
    }
}
