package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import dev.usher.RevocationReceipt.Reason;
import dev.usher.redis.NodeRegister;
import dev.usher.redis.RedisWay;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Changes of many users, and of one user in every facet: one pipeline, one wait. */
class AnnouncementIT extends NodesOnRedis {

    private static final Logger log = LoggerFactory.getLogger(AnnouncementIT.class);

    private static final List<Long> HUNDRED = LongStream.range(100, 200).boxed().toList();

    /** A call that announces changes of one user or of many. */
    private record Call(
            String name,
            Function<UserCache<Long, UserStatus>, Object> ofOne,
            Function<UserCache<Long, UserStatus>, Object> ofMany,
            int signals) {}

    private static final List<Call> CALLS = List.of(
            call("invalidateAll", UserCache::invalidate, UserCache::invalidateAll, 0),
            call("forgetAll", UserCache::forget, UserCache::forgetAll, 0),
            call("revokeAll", UserCache::revoke, UserCache::revokeAll, 1),
            call(
                    "disableAll",
                    (cache, id) -> new UserStatusCache<>(cache).disable(id, () -> {}),
                    (cache, ids) -> new UserStatusCache<>(cache).disableAll(ids, () -> {}),
                    1),
            call(
                    "enableAll",
                    (cache, id) -> new UserStatusCache<>(cache).enable(id, () -> {}),
                    (cache, ids) -> new UserStatusCache<>(cache).enableAll(ids, () -> {}),
                    1));

    private static Call call(
            String name,
            BiFunction<UserCache<Long, UserStatus>, Long, Object> ofOne,
            BiFunction<UserCache<Long, UserStatus>, List<Long>, Object> ofMany,
            int signals) {
        return new Call(name, cache -> ofOne.apply(cache, 42L), cache -> ofMany.apply(cache, HUNDRED), signals);
    }

    private volatile UserStatus row = UserStatus.ENABLED;

    /** On a network so slow that only the number of round trips matters. */
    @Test
    void aHundredUsersTakeAsManyRoundTripsAsOne() {
        try (RedisWay proxy = way()) {
            UserCache<Long, UserStatus> cache =
                    node(proxy).cache(UserStatus.FACET, Long.class, AnnouncementIT::enabled);
            letTheRegisterBeBelieved();
            cache.invalidate(42L); // Redis then knows the script
            proxy.delay(Duration.ofMillis(20));
            for (Call call : CALLS) {
                Duration one = took(
                        () -> assertThat(isConfirmed(call.ofOne.apply(cache))).isTrue());
                redis.keys("{user:*:status}:guard").forEach(redis::del);
                redis.configResetstat();

                Duration hundred = took(() -> assertThat(isConfirmed(call.ofMany.apply(cache)))
                        .as(call.name)
                        .isTrue());

                log.info("{} of 100 users took {} times as long as of one", call.name, ratio(hundred, one));
                assertThat(ratio(hundred, one))
                        .as("%s, of one: %s, of a hundred: %s", call.name, one, hundred)
                        .isLessThan(20);
                assertThat(redis.keys("{user:1??:status}:guard")).as(call.name).hasSize(100);
                assertThat(RedisCalls.of(redis, "del"))
                        .as("fences of " + call.name)
                        .isEqualTo(100);
                assertThat(RedisCalls.of(redis, "rpush"))
                        .as("revocations of " + call.name)
                        .isEqualTo(call.signals);
            }
        }
    }

    private static boolean isConfirmed(Object answer) {
        return answer instanceof RevocationReceipt receipt ? receipt.confirmed() : answer.equals(true);
    }

    private static Duration took(Runnable call) {
        long began = System.nanoTime();
        call.run();
        return Duration.ofNanos(System.nanoTime() - began);
    }

    private static double ratio(Duration time, Duration toTime) {
        return (double) time.toNanos() / toTime.toNanos();
    }

    @Test
    void everyFacetOfAUserIsForgottenWhateverTheTypeOfItsIds() {
        List<UserCaches> nodes = List.of(node(), node());
        List<UserCache<Long, UserStatus>> byNumber = new ArrayList<>();
        List<UserCache<String, UserStatus>> byText = new ArrayList<>();
        for (UserCaches node : nodes) {
            await().until(() -> node.engine().shared().session("user:42:profile") != null);
            byNumber.add(node.cache(UserStatus.FACET, Long.class, ids -> all(ids, row)));
            byNumber.add(node.cache(Facet.of("role", UserStatus.class), Long.class, ids -> all(ids, row)));
            byText.add(node.cache(Facet.of("plan", UserStatus.class), String.class, ids -> all(ids, row)));
        }
        assertThat(byNumber).allSatisfy(cache -> assertThat(cache.find(42L)).contains(UserStatus.ENABLED));
        assertThat(byText).allSatisfy(cache -> assertThat(cache.find("42")).contains(UserStatus.ENABLED));
        assertThat(redis.keys("user:42:*")).hasSize(3);
        row = UserStatus.DISABLED;
        redis.configResetstat();

        assertThat(byNumber.get(0).forget(42L)).isTrue();

        assertThat(redis.keys("user:42:*")).isEmpty();
        assertThat(redis.keys("{user:42:*}:guard")).hasSize(3);
        assertThat(RedisCalls.of(redis, "del")).isEqualTo(3);
        assertThat(byNumber.subList(0, 2))
                .as("at once, on the node that knows")
                .allSatisfy(cache -> assertThat(cache.find(42L)).contains(UserStatus.DISABLED));
        assertThat(byText.get(0).find("42")).contains(UserStatus.DISABLED);
        await().until(() ->
                byNumber.stream().allMatch(cache -> cache.find(42L).equals(Optional.of(UserStatus.DISABLED))));
        await().until(() -> byText.get(1).find("42").equals(Optional.of(UserStatus.DISABLED)));
    }

    @Test
    void aPartThatRedisRefusesIsPendingAndNamedAndTheRestIsConfirmed() {
        UserCaches node = node();
        UserCache<Long, UserStatus> cache = node.cache(UserStatus.FACET, Long.class, AnnouncementIT::enabled);
        cache.invalidateAll(List.of(1L, 2L, 3L));
        redis.keys("{user:?:status}:guard").forEach(redis::del);
        acl("resetkeys", "~user:1:*", "~{user:1:*", "~user:3:*", "~{user:3:*", "~{user:nodes}*");
        RevocationReceipt receipt;
        try {
            receipt = cache.revokeAll(List.of(1L, 2L, 3L));
        } finally {
            acl("allkeys");
        }

        assertThat(receipt.confirmed()).isFalse();
        assertThat(receipt.reason()).isEqualTo(Reason.REDIS_REFUSED);
        assertThat(receipt.redisError()).isEqualTo("NOPERM");
        assertThat(receipt.keysPending()).containsExactly("user:2:status");
        await().until(() -> cache.stats().pendingFences() == 0);
        assertThat(redis.keys("{user:?:status}:guard")).hasSize(3);
    }

    @Test
    void aRedisThatDoesNotAnswerIsWaitedForOnceHoweverManyUsersThereAre() {
        try (RedisWay proxy = way()) {
            Duration timeout = Duration.ofSeconds(1);
            UserCaches node = open(UserCaches.builder().redis(proxy.uri()).commandTimeout(timeout));
            UserCache<Long, UserStatus> cache = node.cache(UserStatus.FACET, Long.class, AnnouncementIT::enabled);
            List<Long> many = LongStream.range(0, 2_000).boxed().toList();
            await().until(() -> node.engine().shared().session("user:42:profile") != null);
            proxy.freeze();

            RevocationReceipt receipt = cache.revokeAll(many);

            assertThat(receipt.reason()).isEqualTo(Reason.NO_REDIS);
            assertThat(receipt.keysPending()).hasSize(many.size());
            assertThat(receipt.took()).isLessThan(timeout.multipliedBy(2));
            assertThat(cache.stats().pendingFences()).isEqualTo(many.size());
            proxy.restore();
            await().until(() -> cache.stats().pendingFences() == 0);
            assertThat(redis.keys("{user:*:status}:guard")).hasSize(many.size());
        }
    }

    @Test
    void moreThanGoTogetherAreAllAnnounced() {
        UserCache<Long, UserStatus> cache = node().cache(UserStatus.FACET, Long.class, AnnouncementIT::enabled);
        List<Long> many = LongStream.range(0, 1_234).boxed().toList();
        assertThat(cache.invalidateAll(many)).isTrue();
        assertThat(redis.keys("{user:*:status}:guard")).hasSize(many.size());
    }

    @Test
    void oneIdThatCannotBeRefusesAll() {
        UserCache<String, UserStatus> cache = node().cache(UserStatus.FACET, String.class, AnnouncementIT::enabled);
        List<String> ids = List.of("ann", "b b");
        assertThatIllegalArgumentException().isThrownBy(() -> cache.invalidateAll(ids));
        assertThatIllegalArgumentException().isThrownBy(() -> cache.revokeAll(ids));
        assertThatIllegalArgumentException().isThrownBy(() -> cache.forgetAll(ids));
        assertThat(redis.keys("{user:ann:*")).isEmpty();
    }

    @Test
    void aChangeOfNoUsersIsConfirmed() {
        UserCache<Long, UserStatus> cache = node().cache(UserStatus.FACET, Long.class, AnnouncementIT::enabled);
        assertThat(cache.invalidateAll(List.of())).isTrue();
        assertThat(cache.forgetAll(List.of())).isTrue();
        assertThat(cache.revokeAll(List.of()).confirmed()).isTrue();
    }

    private static void acl(String... rules) {
        CommandArgs<String, String> arguments =
                new CommandArgs<>(StringCodec.UTF8).add("SETUSER").add("default");
        List.of(rules).forEach(arguments::add);
        redis.dispatch(CommandType.ACL, new StatusOutput<>(StringCodec.UTF8), arguments);
    }

    private static <K> Map<K, UserStatus> enabled(Set<K> ids) {
        return all(ids, UserStatus.ENABLED);
    }

    private static <K> Map<K, UserStatus> all(Set<K> ids, UserStatus status) {
        return ids.stream().collect(Collectors.toMap(id -> id, id -> status));
    }

    private UserCaches node() {
        return open(patient(uri()).commandTimeout(Duration.ofSeconds(10)));
    }

    private UserCaches node(RedisWay proxy) {
        return open(UserCaches.builder()
                .redis(proxy.uri())
                .commandTimeout(Duration.ofSeconds(10))
                .timing(CONFIRMING));
    }

    private void letTheRegisterBeBelieved() {
        NodeRegister register = opened.get(0).engine().shared().register();
        await().ignoreExceptions()
                .until(() -> register.isComplete(UserStatus.FACET.policy().stalenessBound()));
    }
}
