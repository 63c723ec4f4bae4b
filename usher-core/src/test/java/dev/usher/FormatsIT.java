package dev.usher;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.awaitility.Awaitility.await;

import dev.usher.Explanation.Guard;
import dev.usher.redis.GuardProtocol;
import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Fill;
import dev.usher.redis.GuardProtocol.Refresh;
import dev.usher.redis.KeySpace;
import dev.usher.redis.NodeRegister;
import dev.usher.redis.NodeRegister.Member;
import dev.usher.redis.NodeRegister.Snapshot;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
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
    private static final String OTHER = "4711@elsewhere-0a1b2c3d";
    private static final String TOKEN = "9b2f7c1e-0c1d-4c35-8d0f-6f4f4a3b2c1d.17";
    private static final String EPOCH = "5d0c8a52-7f0e-4a53-9a52-3c1b2a4d5e6f";
    private static final byte[] VALUE = UserProfile.FACET.codec().encode(ANN);
    private static final Duration TTL = Duration.ofMinutes(30);

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
        return Format.latest();
    }

    @BeforeAll
    static void startNode() {
        node = UserCaches.builder()
                .redis(server.uri())
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

    @BeforeEach
    void emptyTable() {
        ROWS.clear();
        STATUS_ROWS.clear();
        QUERIES.set(0);
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
            case "register", "revocation" -> assertRegisterIsUnderstood(format);
            default -> fail("%s is not played", format);
        }
    }

    /** The other node stays in the register, its last seen revocation counts, and it is dropped after a long silence. */
    private void assertRegisterIsUnderstood(Format format) throws Exception {
        boolean isRevoked = format.name().equals("revocation");
        long number = isRevoked ? 1 : 0;
        redis.del(REGISTER);
        format.load(redis, register(now()));
        awaitMembers(2);
        assertThat(redis.hget(REGISTER, "#epoch")).as("nothing was lost").isEqualTo(EPOCH);
        NodeRegister register = node.engine().shared().register();
        Snapshot snapshot = register.read(Duration.ofSeconds(1));
        assertThat(snapshot.epoch()).isEqualTo(EPOCH);
        assertThat(snapshot.members().get(OTHER))
                .isEqualTo(new Member(
                        EPOCH, number, Map.of("profile", Duration.ofMinutes(5), "status", Duration.ofSeconds(1))));
        assertThat(format.keys().keySet().stream().filter(register::isSignal)).hasSize(isRevoked ? 1 : 0);
        soon().until(() -> redis.hgetall(REGISTER).entrySet().stream()
                .filter(field ->
                        !field.getKey().startsWith("#") && !field.getKey().equals(OTHER))
                .allMatch(own -> own.getValue().matches(number + " \\d{13} " + EPOCH + " .+")));
        assertThat(register.revoke(Duration.ofSeconds(1))).isEqualTo(number + 1);

        redis.hset(
                REGISTER, OTHER, redis.hget(REGISTER, OTHER).replaceFirst(" \\d{13} ", " " + (now() - 11_000) + " "));
        var unused = register.register();
        awaitMembers(1);
        assertThat(redis.hget(REGISTER, "#epoch")).as("a node was lost").isNotEqualTo(EPOCH);
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
                profiles.find(42L); // asked for again, the absence is stored
            }
            case "status-enabled", "status-disabled" -> {
                STATUS_ROWS.put(42L, format.name().equals("status-enabled") ? UserStatus.ENABLED : UserStatus.DISABLED);
                statuses.find(42L);
            }
            case "status-absent" -> {
                statuses.find(42L);
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
                assertThat(guards.refresh(KEY, node.engine().nextToken(), TTL)).isInstanceOf(Refresh.Granted.class);
            }
            case "register" -> redis.del(REGISTER);
            case "revocation" -> {
                redis.del(REGISTER);
                awaitMembers(1);
                node.engine().shared().register().revoke(Duration.ofSeconds(1));
            }
            default -> fail("%s is not played", format);
        }

        soon().untilAsserted(() -> assertInTime(format.assertWritten(redis), format.name()));
        assertThat(redis.keys("*").stream().filter(key -> !key.equals(REGISTER)))
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
        return guards.awaitAll(List.of(guards.claim(KEY, token, null))).get(0);
    }

    private boolean fill(String token) throws SharedTierException {
        GuardProtocol guards = node.engine().shared().guards(KEY);
        return guards.awaitAll(List.of(guards.fill(KEY, token, VALUE, TTL, null)))
                        .get(0)
                == Fill.STORED;
    }

    private Refresh refresh() throws SharedTierException {
        return node.engine().shared().guards(KEY).refresh(KEY, "mine", TTL);
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

    private static void awaitMembers(int count) {
        soon().until(() -> redis.hkeys(REGISTER).stream()
                        .filter(field -> !field.startsWith("#"))
                        .count()
                == count);
    }

    /** The time by the clock of Redis, in milliseconds. */
    private static long now() {
        List<String> time = redis.time();
        return Long.parseLong(time.get(0)) * 1000 + Long.parseLong(time.get(1)) / 1000;
    }
}
