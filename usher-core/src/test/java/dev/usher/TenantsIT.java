package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Many prefixes on the connections of one. */
class TenantsIT extends NodesOnRedis {

    private static final int TENANTS = 1000;
    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED));

    @Test
    void aThousandTenantsCostNoMoreConnectionsAndHeartbeatsThanOne() {
        UserCaches home = open(patient(server.uri()));
        UserStatusCache<Long> own = statusesOf(home);
        await().until(() -> own.stats().nearOpen());
        long connections = connections();
        double heartbeats = callsInASecond();

        List<UserStatusCache<Long>> tenants = new ArrayList<>();
        for (int i = 0; i < TENANTS; i++) {
            tenants.add(statusesOf(home.withPrefix("tenant-" + i)));
        }
        await().until(() -> redis.keys("{tenant-*:nodes}").size() == TENANTS);
        await().until(() -> home.engine().shared().isMarked("tenant-" + (TENANTS - 1)));

        assertThat(connections()).isEqualTo(connections);
        assertThat(callsInASecond()).isLessThan(heartbeats * 1.5);
        UserStatusCache<Long> last = tenants.get(TENANTS - 1);
        await().until(() -> answersFromMemory(last));
        assertThat(redis.exists("tenant-999:42:status")).isOne();
    }

    @Test
    void aTenantsReceiptIsConfirmedByTheNodesOfItsHome() {
        UserCaches one = open(patient(server.uri()));
        UserCaches other = open(patient(server.uri()));
        UserStatusCache<Long> here = statusesOf(one.withPrefix("acme"));
        UserStatusCache<Long> there = statusesOf(other.withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(here) && answersFromMemory(there));

        RevocationReceipt receipt = disable(here);

        assertThat(there.isEnabled(42L)).isFalse();
        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.nodesConfirmed()).hasSize(2);
        assertThat(receipt.took()).isLessThan(BOUND);
    }

    @Test
    void aProcessWithThePrefixAsItsOwnIsWaitedFor() {
        UserStatusCache<Long> tenant = statusesOf(open(patient(server.uri())).withPrefix("acme"));
        letRegistersBeBelieved();
        UserStatusCache<Long> own = statusesOf(open(patient(server.uri()).keyPrefix("acme")));
        await().until(() -> answersFromMemory(own) && answersFromMemory(tenant));

        RevocationReceipt receipt = disable(tenant);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(own.isEnabled(42L)).isFalse();
    }

    @Test
    void aProcessWithThePrefixAsItsOwnWaitsForTenants() {
        UserStatusCache<Long> own = statusesOf(open(patient(server.uri()).keyPrefix("acme")));
        UserStatusCache<Long> tenant = statusesOf(open(patient(server.uri())).withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(own) && answersFromMemory(tenant));

        RevocationReceipt receipt = disable(own);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(tenant.isEnabled(42L)).isFalse();
    }

    @Test
    void tenantsOfDifferentHomesWaitForEachOther() {
        UserStatusCache<Long> one = statusesOf(open(patient(server.uri())).withPrefix("acme"));
        UserStatusCache<Long> other =
                statusesOf(open(patient(server.uri()).keyPrefix("home")).withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(one) && answersFromMemory(other));

        RevocationReceipt receipt = disable(one);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(other.isEnabled(42L)).isFalse();
    }

    @Test
    void aMarkThatIsLostIsSetAgainAndNothingFromBeforeIsAnsweredFromMemory() {
        UserCaches home = open(patient(server.uri()));
        UserStatusCache<Long> tenant = statusesOf(home.withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(tenant));
        var before = home.engine().shared().session("acme:42:status");
        String mark = redis.hget("{acme:nodes}", "#home:user");

        redis.del("{acme:nodes}");

        await().until(() -> home.engine().shared().session("acme:42:status") != before);
        await().until(() -> answersFromMemory(tenant));
        assertThat(redis.hget("{acme:nodes}", "#home:user")).isNotNull().isNotEqualTo(mark);
        RevocationReceipt receipt = disable(tenant);
        assertThat(receipt.took()).as("a register that has just begun").isGreaterThan(BOUND.dividedBy(2));
    }

    @Test
    void aTenantIsClosedByItselfAndWithItsHome() {
        UserCaches home = open(patient(server.uri()));
        UserCaches tenant = home.withPrefix("acme");
        UserStatusCache<Long> statuses = statusesOf(tenant);
        assertThatIllegalStateException().isThrownBy(() -> home.withPrefix("acme"));
        assertThatIllegalStateException().isThrownBy(() -> tenant.withPrefix("user"));
        assertThatIllegalArgumentException().isThrownBy(() -> home.withPrefix("acme:eu"));
        tenant.close();
        assertThatIllegalStateException().isThrownBy(() -> statuses.isEnabled(42L));
        assertThat(statusesOf(home).isEnabled(42L)).isTrue();

        UserStatusCache<Long> again = statusesOf(home.withPrefix("acme"));
        assertThat(again.isEnabled(42L)).isTrue();
        home.close();
        assertThatIllegalStateException().isThrownBy(() -> again.isEnabled(42L));
        assertThatIllegalStateException().isThrownBy(() -> home.withPrefix("other"));
    }

    private UserStatusCache<Long> statusesOf(UserCaches caches) {
        return new UserStatusCache<>(caches.cache(UserStatus.FACET, Long.class, this::load));
    }

    private Map<Long, UserStatus> load(Set<Long> ids) {
        return ids.stream().filter(rows::containsKey).collect(Collectors.toMap(id -> id, rows::get));
    }

    private RevocationReceipt disable(UserStatusCache<Long> node) {
        return node.disable(42L, () -> rows.put(42L, UserStatus.DISABLED));
    }

    private static boolean answersFromMemory(UserStatusCache<Long> node) {
        node.isEnabled(42L);
        long before = node.stats().nearPresent();
        node.isEnabled(42L);
        return node.stats().nearPresent() > before;
    }

    /** A register is believed once all that could have been lost from it must have closed. */
    private static void letRegistersBeBelieved() {
        await().pollDelay(BOUND.plusMillis(500)).until(() -> true);
    }

    private static long connections() {
        return redis.clientList().lines().count();
    }

    /** What Redis executes in a second while no caller asks for anything. */
    private static double callsInASecond() {
        redis.configResetstat();
        await().pollDelay(Duration.ofSeconds(3)).until(() -> true);
        return (RedisCalls.of(redis, "hmget") + RedisCalls.of(redis, "strlen") + RedisCalls.of(redis, "eval")) / 3.0;
    }
}
