package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Listeners end what is open for revoked users, on every node, before it confirms. */
@Tag("servers")
class OnRevokedIT extends NodesOnRedis {

    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(
            LongStream.rangeClosed(1, 1000).boxed().collect(Collectors.toMap(id -> id, id -> UserStatus.ENABLED)));

    private final AtomicInteger queries = new AtomicInteger();

    /** Open things of users, on one node. */
    private static final class Sockets implements RevocationListener {

        private final List<Long> open = new CopyOnWriteArrayList<>();
        private final List<RevokedUsers> calls = new CopyOnWriteArrayList<>();

        @Override
        public int revoked(RevokedUsers users) {
            calls.add(users);
            List<Long> ended = open.stream()
                    .filter(id -> !users.isEveryone() && users.contains("status", id))
                    .toList();
            open.removeAll(ended);
            return ended.size();
        }
    }

    @Test
    void everyNodeHasEndedWhatWasOpenWhenTheReceiptIsConfirmed() {
        Sockets one = new Sockets();
        Sockets other = new Sockets();
        UserStatusCache<Long> here = statuses(open(patient(uri()).onRevoked(one)));
        UserCaches there = open(patient(uri()));
        statuses(there);
        there.onRevoked(other);
        letRegisterBeBelieved(BOUND);
        one.open.addAll(List.of(42L, 43L));
        other.open.addAll(List.of(42L, 42L, 44L));

        RevocationReceipt receipt = disable(here, 42L);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(one.open).containsExactly(43L);
        assertThat(other.open).containsExactly(44L);
        assertThat(receipt.ended().values()).containsExactlyInAnyOrder(1, 2);
        assertThat(receipt.nodesConfirmed()).containsAll(receipt.ended().keySet());
        assertThat(disable(here, 45L).ended()).isEmpty();
    }

    @Test
    void aThousandUsersAreOneCallAndOneWait() {
        Sockets sockets = new Sockets();
        UserStatusCache<Long> node = statuses(open(patient(uri()).onRevoked(sockets)));
        letRegisterBeBelieved(BOUND);
        sockets.open.addAll(rows.keySet());
        sockets.open.add(2000L);

        RevocationReceipt receipt = node.disableAll(List.copyOf(rows.keySet()), () -> rows.clear());

        assertThat(receipt.confirmed()).isTrue();
        assertThat(sockets.open).containsExactly(2000L);
        assertThat(receipt.ended().values()).containsExactly(1000);
        assertThat(redis.get("{user:nodes}:signal"))
                .as("a number for 256 of them")
                .endsWith(" 4");
    }

    @Test
    void aListenerAsksTheCacheAndIsAnsweredByTheSource() {
        List<Boolean> letIn = new ArrayList<>();
        List<UserStatusCache<Long>> statuses = new CopyOnWriteArrayList<>();
        UserCaches node = open(patient(uri()).onRevoked(users -> {
            letIn.add(statuses.get(0).isEnabled(42L));
            return 0;
        }));
        statuses.add(statuses(node));
        letRegisterBeBelieved(BOUND);
        assertThat(statuses.get(0).isEnabled(42L)).isTrue();

        assertThat(disable(statuses.get(0), 42L).confirmed()).isTrue();
        assertThat(statuses.get(0)
                        .enable(42L, () -> rows.put(42L, UserStatus.ENABLED))
                        .confirmed())
                .isTrue();

        assertThat(letIn).containsExactly(false, true);
    }

    @Test
    void aListenerThatFailsOrHangsHoldsUpNothingForLong() throws Exception {
        Sockets sockets = new Sockets();
        AtomicBoolean hangs = new AtomicBoolean();
        CountDownLatch goOn = new CountDownLatch(1);
        UserStatusCache<Long> node = statuses(open(patient(uri())
                .onRevoked(users -> {
                    throw new IllegalStateException("its socket is gone");
                })
                .onRevoked(users -> {
                    if (hangs.get()) {
                        awaitUninterruptibly(goOn);
                    }
                    return 0;
                })
                .onRevoked(sockets)));
        letRegisterBeBelieved(BOUND);
        sockets.open.add(42L);

        assertThat(disable(node, 42L).ended().values()).containsExactly(1);

        hangs.set(true);
        sockets.open.add(43L);
        RevocationReceipt receipt = disable(node, 43L);
        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.ended()).isEmpty();
        assertThat(receipt.took()).isBetween(Duration.ofMillis(400), BOUND);
        goOn.countDown();
        await().until(() -> sockets.open.isEmpty());
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    void aNodeThatWasCutOffHearsOfTheRevocationsAfterwards() {
        Sockets sockets = new Sockets();
        try (RedisWay proxy = way()) {
            UserStatusCache<Long> near = statuses(open(patient(uri())));
            statuses(open(patient(proxy.uri()).onRevoked(sockets)));
            letRegisterBeBelieved(BOUND);
            sockets.open.addAll(List.of(42L, 43L));
            proxy.refuse();
            proxy.cut();

            RevocationReceipt receipt = disable(near, 42L);
            assertThat(receipt.confirmed()).isTrue();
            assertThat(sockets.open).hasSize(2);
            proxy.restore();

            await().until(() -> sockets.open.equals(List.of(43L)));
        }
    }

    @Test
    void aRegisterThatIsLostIsARevocationOfEveryone() {
        Sockets sockets = new Sockets();
        UserStatusCache<Long> node = statuses(open(patient(uri()).onRevoked(sockets)));
        letRegisterBeBelieved(BOUND);
        int calls = sockets.calls.size();

        assertThat(node.isEnabled(43L)).isTrue();
        dropRegister("user");

        await().pollInterval(Duration.ofMillis(5)).until(() -> sockets.calls.size() > calls);
        int before = queries.get();
        assertThat(node.isEnabled(43L)).isTrue();
        assertThat(node.isEnabled(43L)).isTrue();
        assertThat(queries.get() - before)
                .as("Redis is not believed for the bound")
                .isEqualTo(2);
        assertThat(sockets.calls.get(calls).isEveryone()).isTrue();
        assertThat(sockets.calls.get(calls).contains("status", 42L)).isTrue();
        await().until(() -> node.stats().nearOpen());
    }

    @Test
    void aBannedUserThatGoesOnAskingCostsAQueryForEachBound() {
        UserStatusCache<Long> node = statuses(open(patient(uri())));
        letRegisterBeBelieved(BOUND);
        assertThat(disable(node, 42L).confirmed()).isTrue();
        int before = queries.get();
        int asked = 0;
        long until = System.nanoTime() + BOUND.toNanos();
        while (System.nanoTime() - until < 0) {
            assertThat(node.isEnabled(42L)).isFalse();
            asked++;
        }
        assertThat(asked).isGreaterThan(100);
        assertThat(queries.get() - before).isLessThanOrEqualTo(2);

        assertThat(node.enable(42L, () -> rows.put(42L, UserStatus.ENABLED)).confirmed())
                .isTrue();
        assertThat(node.isEnabled(42L)).as("let in at once").isTrue();
        before = queries.get();
        assertThat(node.isEnabled(42L)).isTrue();
        assertThat(queries.get() - before)
                .as("one that is let in is asked for each time")
                .isOne();
    }

    @Test
    void aTenantsListenersHearOfItsUsersOnly() {
        Sockets homes = new Sockets();
        Sockets tenants = new Sockets();
        UserCaches home = open(patient(uri()).onRevoked(homes));
        statuses(home);
        UserCaches tenant = home.withPrefix("acme");
        tenant.onRevoked(tenants);
        UserStatusCache<Long> ofTenant = statuses(tenant);
        letRegisterBeBelieved(BOUND);
        homes.open.add(42L);
        tenants.open.add(42L);

        RevocationReceipt receipt = disable(ofTenant, 42L);

        assertThat(homes.open).containsExactly(42L);
        assertThat(tenants.open).isEmpty();
        assertThat(receipt.ended().values()).containsExactly(1);
    }

    private RevocationReceipt disable(UserStatusCache<Long> node, long id) {
        return node.disable(id, () -> rows.put(id, UserStatus.DISABLED));
    }

    private UserStatusCache<Long> statuses(UserCaches node) {
        return new UserStatusCache<>(node.cache(UserStatus.FACET, Long.class, this::load));
    }

    private Map<Long, UserStatus> load(Set<Long> ids) {
        queries.incrementAndGet();
        return ids.stream().filter(rows::containsKey).collect(Collectors.toMap(id -> id, rows::get));
    }
}
