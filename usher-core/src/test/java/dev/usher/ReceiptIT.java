package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.usher.RevocationReceipt.Reason;
import dev.usher.redis.RedisWay;
import dev.usher.redis.TestRedis;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

@Tag("servers")
class ReceiptIT extends NodesOnRedis {

    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED));

    @Test
    void aReceiptNamesEveryNodeAndNoneOfThemLetsTheUserIn() {
        List<UserStatusCache<Long>> nodes =
                IntStream.range(0, 4).mapToObj(i -> node(uri())).toList();
        letRegisterBeBelieved(BOUND);
        nodes.forEach(node -> assertThat(node.isEnabled(42L)).isTrue());

        RevocationReceipt receipt = disable(nodes.get(0));

        assertThat(nodes).noneMatch(node -> node.isEnabled(42L));
        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.reason()).isNull();
        assertThat(receipt.keysPending()).isEmpty();
        assertThat(receipt.nodesConfirmed()).hasSize(4);
        assertThat(receipt.nodesWaitedOut()).isEmpty();
        assertThat(receipt.nodesUnheard()).isEmpty();
        assertThat(receipt.took()).isLessThan(BOUND);

        RevocationReceipt pardon = nodes.get(1).enable(42L, () -> rows.put(42L, UserStatus.ENABLED));
        assertThat(pardon.confirmed()).isTrue();
        assertThat(nodes).allMatch(node -> node.isEnabled(42L));
    }

    @Test
    void aNodeThatIsCutOffIsWaitedOutAndHasClosedItsMemoryByThen() {
        try (RedisWay proxy = way()) {
            UserStatusCache<Long> near = node(uri());
            UserStatusCache<Long> far = node(proxy.uri());
            letRegisterBeBelieved(BOUND);
            assertThat(far.isEnabled(42L)).isTrue();
            proxy.freeze();

            RevocationReceipt receipt = disable(near);

            assertThat(far.isEnabled(42L)).isFalse();
            assertThat(receipt.confirmed()).isTrue();
            assertThat(receipt.nodesConfirmed()).hasSize(1);
            assertThat(receipt.nodesWaitedOut()).hasSize(1);
            assertThat(receipt.took()).isBetween(BOUND, BOUND.multipliedBy(3));
        }
    }

    @Test
    void aNodeThatWasKilledCostsOneBanTheBound() {
        try (RedisWay proxy = way()) {
            UserStatusCache<Long> near = node(uri());
            UserStatusCache<Long> far = node(proxy.uri());
            letRegisterBeBelieved(BOUND);
            proxy.freeze();
            assertThat(disable(near).nodesWaitedOut()).hasSize(1);

            RevocationReceipt second = near.enable(42L, () -> rows.put(42L, UserStatus.ENABLED));

            assertThat(second.confirmed()).isTrue();
            assertThat(second.nodesConfirmed()).hasSize(1);
            assertThat(second.nodesWaitedOut()).isEmpty();
            assertThat(second.took()).isLessThan(BOUND.dividedBy(2));
            proxy.restore();
            await().until(() -> far.stats().nearOpen() && members("user").size() == 2);
            assertThat(disable(near).nodesConfirmed())
                    .as("it has entered again")
                    .hasSize(2);
            assertThat(far.isEnabled(42L)).isFalse();
        }
    }

    /** The key expires, or is evicted. */
    @Test
    void aNodeThatWasKilledAndWhoseKeyIsGoneCostsOneBanTheBound() {
        try (RedisWay proxy = way()) {
            UserStatusCache<Long> near = node(uri());
            letRegisterBeBelieved(BOUND);
            String nearKey = "{user:nodes}:node:" + members("user").iterator().next();
            UserStatusCache<Long> far = node(proxy.uri());
            letRegisterBeBelieved(BOUND);
            assertThat(far.isEnabled(42L)).isTrue();
            proxy.freeze();
            // More than once: a heartbeat may have been under way.
            await().until(() -> {
                redis.keys("{user:nodes}:node:*").stream()
                        .filter(key -> !key.equals(nearKey))
                        .forEach(redis::del);
                return redis.keys("{user:nodes}:node:*").equals(List.of(nearKey));
            });
            assertThat(disable(near).nodesWaitedOut()).hasSize(1);

            RevocationReceipt second = near.enable(42L, () -> rows.put(42L, UserStatus.ENABLED));

            assertThat(second.confirmed()).isTrue();
            assertThat(second.nodesConfirmed()).hasSize(1);
            assertThat(second.nodesWaitedOut()).isEmpty();
            assertThat(members("user")).hasSize(1);
        }
    }

    @Test
    void aRegisterThatHasJustBegunIsNotTakenForComplete() {
        UserStatusCache<Long> first = node(uri());
        // A heartbeat may begin the register before the ban does.
        long begin = System.nanoTime();
        dropRegister("user");
        // A node that has been dropped from the register may still answer, for as long as the bound.
        RevocationReceipt receipt = disable(first);
        assertThat(receipt.confirmed()).isTrue();
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThanOrEqualTo(BOUND);
    }

    @Test
    void aNodeThatIsNotInTheRegisterDoesNotAnswerFromMemoryUntilItIsAgain() {
        UserStatusCache<Long> node = node(uri());
        await().until(() -> node.stats().nearOpen());
        // First, since a heartbeat in between would register the node again.
        redis.aclSetuser(
                "default",
                AclSetuserArgs.Builder.removeCommand(CommandType.EVAL).removeCommand(CommandType.EVALSHA));
        try {
            dropRegister("user");
            await().until(() -> !answersFromMemory(node));
        } finally {
            redis.aclSetuser("default", AclSetuserArgs.Builder.allCommands());
        }
        await().until(() -> answersFromMemory(node));
    }

    @Test
    void aNodeThatLeavesIsNotWaitedFor() {
        UserStatusCache<Long> stays = node(uri());
        node(uri());
        letRegisterBeBelieved(BOUND);
        opened.get(1).close();
        RevocationReceipt receipt = disable(stays);
        assertThat(receipt.nodesConfirmed()).hasSize(1);
        assertThat(receipt.nodesWaitedOut()).isEmpty();
        assertThat(receipt.took()).isLessThan(BOUND);
    }

    @Test
    void aNodeThatIsClosedHasLeftAlsoWhenRedisIsFarAway() {
        try (RedisWay proxy = way()) {
            node(proxy.uri());
            await().until(() -> !members("user").isEmpty());
            proxy.delay(Duration.ofMillis(100));

            opened.get(0).close();

            assertThat(members("user")).isEmpty();
        }
    }

    @Test
    void withoutRedisTheReceiptIsUnconfirmedAtOnceAndTheBanIsPending() {
        try (RedisWay proxy = way()) {
            UserStatusCache<Long> node = node(proxy.uri());
            assertThat(node.isEnabled(42L)).isTrue();
            proxy.refuse();
            proxy.cut();
            await().until(() -> !node.stats().nearOpen());

            RevocationReceipt receipt = disable(node);

            assertThat(receipt.confirmed()).isFalse();
            assertThat(receipt.reason()).isEqualTo(Reason.NO_REDIS);
            assertThat(receipt.redisError()).isNull();
            assertThat(receipt.keysPending()).containsExactly("user:42:status");
            assertThat(receipt.took()).isLessThan(BOUND);
            assertThat(node.isEnabled(42L)).isFalse();
            assertThat(node.stats().pendingFences()).isOne();
            proxy.restore();
            await().until(() -> node.stats().pendingFences() == 0);
            assertThat(redis.get("user:42:status")).isNotEqualTo("1");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "-eval -evalsha, NOPERM", // refused before the script
        "-del, NOPERM", // refused within the script, where Redis does not say NOPERM
        "replica, READONLY"
    })
    void aReceiptSaysWithWhichErrorRedisHasRefusedTheChange(String refusal, String code) {
        assumeFalse(refusal.equals("replica") && TestRedis.isCluster(), "a Cluster refuses REPLICAOF");
        UserStatusCache<Long> node = node(uri());
        await().until(() -> node.stats().nearOpen());
        refuse(refusal);
        try {
            RevocationReceipt receipt = disable(node);

            assertThat(receipt.confirmed()).isFalse();
            assertThat(receipt.reason()).isEqualTo(Reason.REDIS_REFUSED);
            assertThat(receipt.redisError()).as("a code and no text").isEqualTo(code);
            assertThat(receipt.keysPending()).containsExactly("user:42:status");
            assertThat(receipt.nodesConfirmed()).isEmpty();
            assertThat(receipt).asString().contains("REDIS_REFUSED " + code);
        } finally {
            takeAgain(refusal);
        }
        await().until(() -> node.stats().pendingFences() == 0);
    }

    private static void refuse(String what) {
        if (what.equals("replica")) {
            redis.replicaof("127.0.0.1", 1);
            return;
        }
        acl(what);
    }

    private static void takeAgain(String what) {
        if (what.equals("replica")) {
            redis.replicaofNoOne();
            return;
        }
        acl("+@all");
    }

    private static void acl(String rules) {
        CommandArgs<String, String> arguments =
                new CommandArgs<>(StringCodec.UTF8).add("SETUSER").add("default");
        List.of(rules.split(" ")).forEach(arguments::add);
        redis.dispatch(CommandType.ACL, new StatusOutput<>(StringCodec.UTF8), arguments);
    }

    @Test
    void aReceiptIsJsonByTheNamesOfItsAccessors() {
        JsonNode json = JsonMapper.shared()
                .readTree(JsonMapper.shared().writeValueAsString(RevocationReceipt.awaitingCommit()));

        assertThat(json.propertyNames())
                .containsExactly(
                        "confirmed",
                        "grade",
                        "reason",
                        "redisError",
                        "nodesConfirmed",
                        "nodesWaitedOut",
                        "nodesUnheard",
                        "keysPending",
                        "ended",
                        "replicasAcknowledged",
                        "missing",
                        "took");
        assertThat(json.path("confirmed").asBoolean(true)).isFalse();
        assertThat(json.path("reason").asString()).isEqualTo("AWAITING_COMMIT");
    }

    @Test
    void aChangeThatFailsIsInvalidatedAllTheSame() {
        UserStatusCache<Long> node = node(uri());
        assertThat(node.isEnabled(42L)).isTrue();
        // Committed, although the answer to the commit was lost.
        assertThatIllegalStateException()
                .isThrownBy(() -> node.disable(42L, () -> {
                    rows.put(42L, UserStatus.DISABLED);
                    throw new IllegalStateException("the connection was lost");
                }));
        assertThat(node.isEnabled(42L)).isFalse();
    }

    @Test
    void anInterruptedCallerGetsItsReceiptAtOnce() {
        try (RedisWay proxy = way()) {
            UserStatusCache<Long> near = node(uri());
            node(proxy.uri());
            letRegisterBeBelieved(BOUND);
            proxy.freeze();
            Thread.currentThread().interrupt();
            RevocationReceipt receipt = disable(near);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(receipt.confirmed()).isFalse();
            assertThat(receipt.reason()).isEqualTo(Reason.INTERRUPTED);
            assertThat(receipt.nodesUnheard()).isNotEmpty();
            assertThat(receipt.took()).isLessThan(BOUND);
        }
    }

    private static boolean answersFromMemory(UserStatusCache<Long> node) {
        Duration age = node.stats().watermarkAge();
        return age != null && age.compareTo(BOUND) < 0;
    }

    private RevocationReceipt disable(UserStatusCache<Long> node) {
        return node.disable(42L, () -> rows.put(42L, UserStatus.DISABLED));
    }

    private UserStatusCache<Long> node(String uri) {
        return new UserStatusCache<>(open(UserCaches.builder()
                        .redis(uri)
                        .commandTimeout(Duration.ofMillis(500))
                        .timing(CONFIRMING))
                .cache(UserStatus.FACET, Long.class, this::load));
    }

    private Map<Long, UserStatus> load(Set<Long> ids) {
        Map<Long, UserStatus> found = new HashMap<>(rows);
        found.keySet().retainAll(ids);
        return found;
    }
}
