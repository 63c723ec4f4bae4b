package dev.usher;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.Explanation.Guard;
import dev.usher.redis.GuardProtocol;
import dev.usher.redis.GuardProtocol.Refresh;
import dev.usher.redis.NodeRegister;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Any number or text in Redis, where usher reads one: no call fails because of it, no call waits longer than for data of usher's own, no
 * answer is wrong, and the next write corrects the data.
 */
class ExtremesInRedisIT extends NodesOnRedis {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");
    private static final String KEY = "user:42:profile";
    private static final String GUARD = "{user:42:profile}:guard";
    private static final String STATUS_KEY = "user:42:status";
    private static final String REGISTER = "{user:nodes}";
    private static final String SIGNAL = "{user:nodes}:signal";

    private static RedisClusterCommands<String, byte[]> bytes;
    private static UserCaches node;
    private static TieredUserCache<Long, UserProfile> profiles;
    private static TieredUserCache<Long, UserStatus> statusCache;
    private static UserStatusCache<Long> statuses;

    @BeforeAll
    static void startNode() {
        bytes = testRedis.commands(RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE));
        node = patient(uri()).build();
        profiles = (TieredUserCache<Long, UserProfile>) node.cache(
                UserProfile.FACET.with(
                        UserProfile.FACET.policy().toBuilder().jitter(0).build()),
                Long.class,
                ids -> ids.stream().collect(Collectors.toMap(Function.identity(), id -> ANN)));
        statusCache = (TieredUserCache<Long, UserStatus>) node.cache(
                // Short, since the test waits for each change of the register.
                UserStatus.FACET.with(UserStatus.FACET.policy().toBuilder()
                        .stalenessBound(Duration.ofMillis(200))
                        .build()),
                Long.class,
                ids -> ids.stream().collect(Collectors.toMap(Function.identity(), id -> UserStatus.ENABLED)));
        statuses = new UserStatusCache<>(statusCache);
        await().until(() -> profiles.stats().nearOpen());
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
        letRedisBeBelieved();
    }

    /** Numbers at the limits of their types, and texts that are not numbers. */
    static Stream<byte[]> extremes() {
        List<byte[]> extremes = new ArrayList<>(Stream.of(
                        "",
                        " ",
                        "0",
                        "-0",
                        "1",
                        "-1",
                        "+1",
                        "007",
                        "1.5",
                        "1e3",
                        "1e308",
                        "1e309",
                        "0x10",
                        "NaN",
                        "inf",
                        "-inf",
                        "nil",
                        "null",
                        "-",
                        "{",
                        "\"",
                        "9007199254740991",
                        "9007199254740992",
                        "9007199254740993",
                        "9223372036854775806",
                        "9223372036854775807",
                        "9223372036854775808",
                        "18446744073709551616",
                        "-9223372036854775807",
                        "-9223372036854775808",
                        "-9223372036854775809",
                        "9".repeat(400),
                        "-" + "9".repeat(400),
                        "0".repeat(400) + "1",
                        "\0",
                        "\r\n",
                        "1\n",
                        "1 2 3 4 5 6",
                        "\u0661\u0662\u0663",
                        "x".repeat(100_000))
                .map(text -> text.getBytes(UTF_8))
                .toList());
        extremes.add(new byte[] {(byte) 0xff, (byte) 0xfe, 0x00, (byte) 0xc0});
        extremes.add("\ud83d\ude00".getBytes(UTF_8));
        return extremes.stream();
    }

    private static Stream<byte[]> extremesIn(String... patterns) {
        return Stream.of(patterns)
                .flatMap(pattern -> extremes().map(extreme -> {
                    String[] around = pattern.split("%s", 2);
                    return (around[0] + new String(extreme, ISO_8859_1) + around[1]).getBytes(ISO_8859_1);
                }));
    }

    /** Writes another type than a string to a key. */
    static Stream<Consumer<String>> otherTypes() {
        return Stream.of(
                key -> redis.hset(key, "a", "b"),
                key -> redis.rpush(key, "a", "b"),
                key -> redis.sadd(key, "a"),
                key -> redis.zadd(key, 1e308, "a"),
                key -> redis.xadd(key, Map.of("a", "b")));
    }

    @Tag("thorough")
    @Test
    void aGuardOfAnyText() throws Exception {
        List<byte[]> guards = extremesIn("%s", "t %s", "%s 1", "t 1 %s", "t  %s", "-%s", "t %s ")
                .toList();
        for (byte[] guard : guards) {
            assertGuardIsOvercome(describe(guard), () -> bytes.set(GUARD, guard));
        }
    }

    @ParameterizedTest
    @MethodSource("otherTypes")
    void aGuardOfAnotherType(Consumer<String> put) throws Exception {
        assertGuardIsOvercome("another type", () -> {
            redis.del(GUARD);
            put.accept(GUARD);
        });
    }

    @Test
    void aClaimWhoseDeadlineIsFurtherAwayThanALease() throws Exception {
        for (long ahead : new long[] {1, 10_000, 1L << 40, 1L << 52}) {
            assertGuardIsOvercome(
                    "a claim for " + ahead + " ms more than a lease",
                    () -> redis.set(GUARD, "t " + (serverTime() + GuardProtocol.LEASE.toMillis() + 1_000 + ahead)));
        }
    }

    private void assertGuardIsOvercome(String guard, Runnable plant) throws Exception {
        emptyRedis();
        plant.run();
        profiles.changed("42"); // as a push would
        long waits = profiles.stats().claimWaits();
        assertThat(profiles.save(42L, ANN, profiles.beforeRead()))
                .as("a row is offered beside %s", guard)
                .isFalse();
        assertThat(redis.pttl(GUARD)).as(guard).isBetween(1L, 2 * GuardProtocol.FENCE.toMillis());
        assertThat(profiles.explain(42L).guard()).as(guard).isEqualTo(Guard.FENCE);
        assertThat(profiles.find(42L)).as(guard).contains(ANN);
        assertThat(profiles.stats().claimWaits()).as("waits for %s", guard).isEqualTo(waits);
        awaitLoads(node);
        assertThat(redis.get(KEY)).as("stored beside %s", guard).isNotNull();
        assertThat(redis.get(GUARD)).as(guard).isEqualTo("-");

        redis.del(KEY);
        plant.run();
        assertThat(profiles.findAll(List.of(41L, 42L))).as(guard).isEqualTo(Map.of(41L, ANN, 42L, ANN));
        plant.run();
        assertThat(profiles.findFresh(42L)).as(guard).contains(ANN);
        plant.run();
        assertThat(profiles.invalidate(42L)).as(guard).isTrue();
        assertThat(redis.exists(KEY)).as(guard).isZero();
    }

    @Test
    void aGuardThatOutlivesEverythingStopsOffersNoLongerThanTheLongestThatUsherWrites() throws Exception {
        for (Runnable life : List.<Runnable>of(
                () -> redis.persist(GUARD),
                () -> redis.pexpire(GUARD, Duration.ofDays(36_500).toMillis()),
                () -> redis.pexpireat(GUARD, Long.MAX_VALUE))) {
            redis.set(GUARD, "-");
            life.run();
            assertThat(profiles.save(42L, ANN, profiles.beforeRead())).isFalse();
            assertThat(redis.pttl(GUARD)).isBetween(GuardProtocol.FENCE.toMillis(), 2 * GuardProtocol.FENCE.toMillis());
            assertThat(profiles.explain(42L).guard()).isEqualTo(Guard.FENCE);
        }
    }

    @Test
    void aValueThatOutlivesEverything() throws Exception {
        for (Runnable life : List.<Runnable>of(
                () -> redis.persist(KEY),
                () -> redis.pexpire(KEY, Duration.ofDays(36_500).toMillis()),
                () -> redis.pexpireat(KEY, Long.MAX_VALUE),
                () -> redis.pexpireat(KEY, 1))) {
            emptyRedis();
            bytes.set(KEY, UserProfile.FACET.codec().encode(ANN));
            life.run();
            assertThat(profiles.explain(42L).shared()).isNotNull();
            Refresh refresh = node.engine()
                    .shared()
                    .guards(KEY)
                    .refresh(KEY, "mine", Duration.ofMinutes(3))
                    .join();
            if (refresh instanceof Refresh.Later later) {
                assertThat(later.left().toNanos()).isPositive();
            } else {
                assertThat(refresh).isInstanceOf(Refresh.Unneeded.class);
            }
            assertThat(profiles.find(42L)).contains(ANN);
        }
    }

    @Tag("thorough")
    @Test
    void aValueOfAnyText() {
        List<byte[]> values = Stream.concat(
                        extremes(),
                        Stream.of("mobile", "name", "photo", "is_media", "intro", "certi", "id")
                                .flatMap(field -> extremesIn(
                                        "{\"mobile\":\"1\",\"name\":\"Bob\",\"photo\":\"\",\"is_media\":false,\"intro\":\"\",\"certi\":\"\",\""
                                                + field + "\":%s}",
                                        "{\"" + field + "\":\"%s\"}")))
                .toList();
        for (byte[] value : values) {
            bytes.set(KEY, value);
            bytes.set(STATUS_KEY, value);
            profiles.changed("42");
            statusCache.changed("42");
            String described = describe(value);
            assertThat(profiles.explain(42L).shared()).as(described).isNotNull();
            boolean isReadable = isReadable(value);
            profiles.find(42L)
                    .ifPresent(
                            found -> assertThat(found.equals(ANN)).as(described).isEqualTo(!isReadable));
            boolean isEnabled = !described.equals("0") && !described.equals("null");
            assertThat(statuses.isEnabled(42L)).as(described).isEqualTo(isEnabled);
            awaitLoads(node);
            if (!isReadable) {
                assertThat(redis.get(KEY)).as("written over %s", described).contains("Ann");
            }
        }
    }

    private static boolean isReadable(byte[] value) {
        try {
            return new String(value, UTF_8).equals("null")
                    || UserProfile.FACET.codec().decode(value) != null;
        } catch (RuntimeException e) {
            return false;
        }
    }

    @ParameterizedTest
    @MethodSource("otherTypes")
    void aValueOfAnotherType(Consumer<String> put) {
        put.accept(KEY);
        put.accept(STATUS_KEY);
        profiles.changed("42");
        statusCache.changed("42");
        assertThat(profiles.find(42L)).contains(ANN);
        assertThat(statuses.isEnabled(42L)).isTrue();
        awaitLoads(node);
        assertThat(redis.get(KEY)).contains("Ann");
        assertThat(redis.get(STATUS_KEY)).isEqualTo("1");
    }

    @Tag("thorough") // after each text, Redis is not believed for a while
    @Test
    void aRegisterOfAnyText() throws Exception {
        NodeRegister register = node.engine().shared().register();
        for (byte[] value :
                extremesIn("%s", "2 %s h 1", "2 e %s 1", "2 e h %s", "2 %s").toList()) {
            // What begins as the signal of another format is left as it is: FormatsIT.
            if (!new String(value, ISO_8859_1).matches("(?s)\\d+ .*")
                    || new String(value, ISO_8859_1).startsWith("2 ")) {
                bytes.set(SIGNAL, value);
                awaitSignal(describe(value));
                assertThat(register.revocations().revoke(List.of(KEY), Duration.ofSeconds(2)))
                        .as(describe(value))
                        .isNotNull();
            }
        }
        for (byte[] value : extremes().toList()) {
            bytes.hset(REGISTER, "#epoch", value);
            bytes.hset(REGISTER, "#home:user", value);
            bytes.hset(REGISTER, new String(value, UTF_8), value);
            redis.hset(REGISTER, "4711@elsewhere-0a1b2c3d", "1 " + new String(value, UTF_8) + " e profile=1");
            bytes.set("{user:nodes}:node:x", value);
            bytes.zadd("{user:nodes}:changed", 0, value);
            bytes.hset("{user:nodes}:ended", "x", value);
            bytes.rpush("{user:nodes}:names", value);
            assertThat(statusCache.revoke(7L)).as(describe(value)).isNotNull();
            assertThat(node.health()).as(describe(value)).isNotNull();
        }
        dropRegister("user"); // with what may look like real nodes
        awaitConfirmedReceipt();
    }

    private static void awaitSignal(String described) {
        await().pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .untilAsserted(() ->
                        assertThat(redis.get(SIGNAL)).as(described).matches("2 [0-9a-f-]{36} \\w+ \\d+( [0-9a-f ]+)?"));
    }

    @Tag("thorough") // after each, Redis is not believed for a while; a register that is lost is in OnRevokedIT
    @ParameterizedTest
    @MethodSource("otherTypes")
    @StandaloneOnly("It needs a transaction, which goes to one server")
    void aRegisterOfAnotherType(Consumer<String> put) {
        await().until(() -> redis.exists(REGISTER, SIGNAL) == 2);
        List<String> keys = List.copyOf(redis.keys("{user:nodes}*"));
        assertThat(keys).contains(REGISTER, SIGNAL);
        for (String key : keys) {
            RedisCommands<String, String> commands = (RedisCommands<String, String>) redis;
            commands.multi(); // the node would write it again in between
            redis.del(key);
            put.accept(key);
            commands.exec();
            assertThat(profiles.find(42L)).contains(ANN);
            assertThat(statuses.disable(7L, () -> {})).isNotNull();
            awaitConfirmedReceipt();
        }
        await().atMost(Duration.ofSeconds(5)).until(() -> profiles.stats().nearOpen());
    }

    @Test
    void scansMeetAnyName() throws Exception {
        for (byte[] name : extremes().toList()) {
            redis.set("user:" + new String(name, ISO_8859_1) + ":profile", "x");
            redis.set("{user:" + new String(name, ISO_8859_1) + ":profile}:guard", "x");
        }
        Overflow overflow =
                Overflow.of(KEY, System.nanoTime() - Duration.ofMinutes(1).toNanos());
        new FullFlush(
                        node.engine().shared(),
                        node.engine().shared().primaryOf("user:42:profile"),
                        node.engine().scheduler(),
                        "user",
                        overflow,
                        Duration.ofMillis(1))
                .run()
                .get();
        assertThat(redis.get("user:0:profile")).isNull();
    }

    private static void awaitConfirmedReceipt() {
        await().atMost(Duration.ofSeconds(10))
                .untilAsserted(
                        () -> assertThat(statusCache.revoke(7L).confirmed()).isTrue());
    }

    private static String describe(byte[] value) {
        String text = new String(value, ISO_8859_1);
        return text.length() > 60 ? text.substring(0, 60) + "..." : text;
    }

    private static long serverTime() {
        List<String> time = redis.time();
        return Long.parseLong(time.get(0)) * 1000 + Long.parseLong(time.get(1)) / 1000;
    }
}
