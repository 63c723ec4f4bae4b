package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.awaitility.Awaitility.await;

import dev.usher.RevocationReceipt.Reason;
import dev.usher.redis.RedisWay;
import dev.usher.redis.Session;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** After a confirmed receipt, no node answers with the state before the change: the less obvious cases. */
@Tag("servers")
class ReceiptHolesIT extends NodesOnRedis {

    /** Several times the pause between two registrations, so that a busy machine misses none. */
    private static final Duration REGISTER_LIFE = Duration.ofSeconds(3);

    private static final Duration SERVE_STALE_FOR = Duration.ofSeconds(5);

    /** Lets users in for a while when neither Redis nor the source answers. */
    private static final Facet<UserStatus> FAIL_STATIC = UserStatus.FACET.with(
            UserStatus.FACET.policy().toBuilder().serveStaleFor(SERVE_STALE_FOR).build());

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED));

    @Test
    void aNodeThatHasNeverSeenRedisRemembersForAWhileWhereStaleAnswersAreAllowed() {
        try (RedisWay proxy = way()) {
            proxy.refuse();
            UserStatusCache<Long> far = node(uriOf(proxy), FAIL_STATIC, null);
            UserStatusCache<Long> near = node(uri(), FAIL_STATIC, null);
            await().until(() -> near.stats().nearOpen());
            assertThat(far.isEnabled(42L)).isTrue();

            RevocationReceipt receipt = disable(near);

            assertThat(receipt.reason()).isEqualTo(Reason.STALE_ANSWERS_ALLOWED);
            boolean letIn = far.isEnabled(42L);
            assertThat(receipt.confirmed() && letIn)
                    .as("confirmed (%s), and let in (%s)", receipt, letIn)
                    .isFalse();
        }
    }

    @Test
    void whatANodeRemembersFromBeforeItsConnectionWasLostIsNotDrivenOutByAChange() {
        AtomicBoolean sourceFails = new AtomicBoolean();
        try (RedisWay proxy = way()) {
            UserStatusCache<Long> near = node(uri(), FAIL_STATIC, null);
            UserStatusCache<Long> far = node(uriOf(proxy), FAIL_STATIC, sourceFails);
            await().until(() -> near.stats().nearOpen() && far.stats().nearOpen());
            assertThat(far.isEnabled(42L)).isTrue();
            Session before = sessionOf(opened.get(1));
            proxy.cut();
            await().until(() -> sessionOf(opened.get(1)) != null && sessionOf(opened.get(1)) != before);

            RevocationReceipt receipt = disable(near);

            sourceFails.set(true);
            boolean letIn;
            try {
                letIn = far.isEnabled(42L);
            } catch (UserUnavailableException e) {
                letIn = false;
            }
            assertThat(receipt.confirmed() && letIn)
                    .as("confirmed (%s), and let in (%s)", receipt, letIn)
                    .isFalse();
        }
    }

    @Test
    void aFenceThatRedisMayHaveLostWhileTheNodesWereWaitedForConfirmsNothing() throws Exception {
        Facet<UserStatus> status = UserStatus.FACET.with(UserStatus.FACET.policy().toBuilder()
                .stalenessBound(Duration.ofSeconds(5))
                .build());
        try (RedisServer lossy = RedisServer.start();
                FaultProxy writers = FaultProxy.inFrontOf(lossy.host(), lossy.port());
                FaultProxy silent = FaultProxy.inFrontOf(lossy.host(), lossy.port())) {
            UserStatusCache<Long> writer = node("redis://" + writers.host() + ":" + writers.port(), status, null);
            UserStatusCache<Long> reader = node(lossy.uri(), status, null);
            node("redis://" + silent.host() + ":" + silent.port(), status, null);
            await().until(() -> writer.stats().nearOpen());
            assertThat(reader.isEnabled(42L)).isTrue();
            RedisClient client = RedisClient.create(lossy.uri());
            client.connect().sync().save();
            client.shutdown();
            silent.freeze();

            CompletableFuture<RevocationReceipt> receipt = CompletableFuture.supplyAsync(() -> disable(writer));
            await().until(() -> !reader.isEnabled(42L));
            writers.refuse();
            lossy.kill();
            lossy.restart();
            await().until(() -> reader.stats().nearOpen());

            boolean confirmed = receipt.get(20, TimeUnit.SECONDS).confirmed();
            assertThat(receipt.get().reason()).isEqualTo(Reason.CONNECTION_LOST);
            boolean letIn = reader.isEnabled(42L);
            assertThat(confirmed && letIn)
                    .as("confirmed (%s), and let in (%s)", confirmed, letIn)
                    .isFalse();
        }
    }

    @Test
    void nothingIsCommittedForAnIdThatCannotBeInvalidated() {
        UserStatusCache<String> node =
                new UserStatusCache<>(open(patient(uri())).cache(UserStatus.FACET, String.class, ids -> Map.of()));
        AtomicBoolean committed = new AtomicBoolean();
        assertThatIllegalArgumentException().isThrownBy(() -> node.disable("a b", () -> committed.set(true)));
        assertThat(committed).as("committed").isFalse();
        assertThatNullPointerException().isThrownBy(() -> disableNoUser(node, () -> committed.set(true)));
        assertThat(committed).as("committed").isFalse();
    }

    @Test
    void nothingIsCommittedWhenTheCachesAreClosed() {
        UserStatusCache<Long> node = node(uri(), UserStatus.FACET, null);
        opened.get(0).close();
        assertThatIllegalStateException().isThrownBy(() -> disable(node));
        assertThat(rows.get(42L)).isEqualTo(UserStatus.ENABLED);
    }

    @Test
    void aCommitThatFailsWhileTheCachesAreClosedSaysWhy() {
        UserStatusCache<Long> node = node(uri(), UserStatus.FACET, null);
        assertThatIllegalStateException()
                .isThrownBy(() -> node.disable(42L, () -> {
                    opened.get(0).close();
                    throw new IllegalStateException("the row is locked");
                }))
                .withMessage("the row is locked");
    }

    @Tag("thorough")
    @Test
    void aFullRedisKeepsTheRegisterAndLeavesTheNearTiersOpen() {
        UserStatusCache<Long> first = shortLived();
        UserStatusCache<Long> second = shortLived();
        await().until(() -> first.stats().nearOpen() && second.stats().nearOpen());
        redis.configSet("maxmemory", "1");
        try {
            // Longer than the lifetime of a registration.
            long until = System.nanoTime()
                    + REGISTER_LIFE.multipliedBy(3).dividedBy(2).toNanos();
            await().failFast("a memory is closed", () -> !(answersFromMemory(first) && answersFromMemory(second)))
                    .until(() -> System.nanoTime() - until > 0);
            assertThat(answersFromMemory(first)).isTrue();
            assertThat(answersFromMemory(second)).isTrue();
        } finally {
            redis.configSet("maxmemory", "0");
        }
    }

    @Test
    void aRedisThatHangsWhileTheNodesAreWaitedForDoesNotMakeTheReceiptLaterThanTheBound() throws Exception {
        try (RedisWay silent = way();
                RedisWay writers = way()) {
            node(uriOf(silent), UserStatus.FACET, null);
            UserStatusCache<Long> writer = new UserStatusCache<>(
                    open(UserCaches.builder().redis(uriOf(writers)).commandTimeout(Duration.ofSeconds(8)))
                            .cache(UserStatus.FACET, Long.class, ids -> load(ids, null)));
            silent.freeze();

            CompletableFuture<RevocationReceipt> receipt = CompletableFuture.supplyAsync(() -> disable(writer));
            await().until(() -> !clientsInARevocation().isEmpty());
            writers.freeze();

            assertThat(receipt.get(20, TimeUnit.SECONDS).took()).isLessThan(Duration.ofSeconds(3));
        }
    }

    @Test
    void aCallerThatWaitsForTheNodesGetsItsReceiptWhenTheCachesAreClosed() throws Exception {
        try (RedisWay silent = way()) {
            node(uriOf(silent), UserStatus.FACET, null);
            UserStatusCache<Long> writer = node(uri(), UserStatus.FACET, null);
            silent.freeze();

            CompletableFuture<RevocationReceipt> receipt = CompletableFuture.supplyAsync(() -> disable(writer));
            await().until(() -> !clientsInARevocation().isEmpty());
            opened.get(1).close();

            assertThat(receipt.get(20, TimeUnit.SECONDS).took()).isLessThan(Duration.ofSeconds(5));
            assertThat(receipt.get().reason()).isEqualTo(Reason.CLOSED);
        }
    }

    private static @Nullable Session sessionOf(UserCaches node) {
        return node.engine().shared().session("user:42:status");
    }

    private static String clientsInARevocation() {
        return Long.toString(redis.llen("{user:nodes}:names")).replace("0", "");
    }

    private static boolean answersFromMemory(UserStatusCache<Long> node) {
        Duration age = node.stats().watermarkAge();
        return age != null && age.compareTo(Duration.ofSeconds(3)) < 0;
    }

    @SuppressWarnings("NullAway")
    private static void disableNoUser(UserStatusCache<String> node, Runnable commit) {
        var unused = node.disable(null, commit);
    }

    private RevocationReceipt disable(UserStatusCache<Long> node) {
        return node.disable(42L, () -> rows.put(42L, UserStatus.DISABLED));
    }

    private UserStatusCache<Long> node(String uri, Facet<UserStatus> facet, @Nullable AtomicBoolean fails) {
        return new UserStatusCache<>(open(patient(uri)).cache(facet, Long.class, ids -> load(ids, fails)));
    }

    private Map<Long, UserStatus> load(Set<Long> ids, @Nullable AtomicBoolean fails) {
        if (fails != null && fails.get()) {
            throw new IllegalStateException("the source is away");
        }
        return rows.entrySet().stream()
                .filter(row -> ids.contains(row.getKey()))
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    /** A node whose registration has a short lifetime. */
    private UserStatusCache<Long> shortLived() {
        return new UserStatusCache<>(open(patient(uri()).timing(TRUSTING.withRegisterLife(REGISTER_LIFE)))
                .cache(UserStatus.FACET, Long.class, ids -> load(ids, null)));
    }

    private static String uriOf(RedisWay proxy) {
        return proxy.uri();
    }
}
