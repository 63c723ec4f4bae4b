package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import dev.usher.redis.RedisWay;
import dev.usher.redis.Session;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Many prefixes on the connections of one. */
@Tag("thorough")
class TenantsIT extends NodesOnRedis {

    private static final int TENANTS = 1000;
    private static final String MARK = "#home:user";
    private static final Duration BOUND = UserStatus.FACET.policy().stalenessBound();

    private final Map<Long, UserStatus> rows = new ConcurrentHashMap<>(Map.of(42L, UserStatus.ENABLED));

    @Test
    void aThousandTenantsCostNoMoreConnectionsAndHeartbeatsThanOne() {
        UserCaches home = open(patient(uri()));
        UserStatusCache<Long> own = statusesOf(home);
        await().until(() -> own.stats().nearOpen());
        long connections = connections();
        double heartbeats = callsInASecond();

        List<UserStatusCache<Long>> tenants = new ArrayList<>();
        for (int i = 0; i < TENANTS; i++) {
            tenants.add(statusesOf(home.withPrefix("tenant-" + i)));
        }
        await().until(() -> redis.keys("{tenant-*:nodes}").size() == TENANTS);
        await().until(() -> home.engine().shared().sessionOfTenant("tenant-" + (TENANTS - 1)) != null);

        assertThat(connections()).isEqualTo(connections);
        assertThat(callsInASecond()).isLessThan(heartbeats * 1.5);
        UserStatusCache<Long> last = tenants.get(TENANTS - 1);
        await().until(() -> answersFromMemory(last));
        assertThat(redis.exists("tenant-999:42:status")).isOne();
    }

    @Test
    void aTenantsReceiptIsConfirmedByTheNodesOfItsHome() {
        UserCaches one = open(patient(uri()));
        UserCaches other = open(patient(uri()));
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
        UserStatusCache<Long> tenant = statusesOf(open(patient(uri())).withPrefix("acme"));
        letRegistersBeBelieved();
        UserStatusCache<Long> own = statusesOf(open(patient(uri()).keyPrefix("acme")));
        await().until(() -> answersFromMemory(own) && answersFromMemory(tenant));

        RevocationReceipt receipt = disable(tenant);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(own.isEnabled(42L)).isFalse();
    }

    @Test
    void aProcessWithThePrefixAsItsOwnWaitsForTenants() {
        UserStatusCache<Long> own = statusesOf(open(patient(uri()).keyPrefix("acme")));
        UserStatusCache<Long> tenant = statusesOf(open(patient(uri())).withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(own) && answersFromMemory(tenant));

        RevocationReceipt receipt = disable(own);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(tenant.isEnabled(42L)).isFalse();
    }

    @Test
    void tenantsOfDifferentHomesWaitForEachOther() {
        UserStatusCache<Long> one = statusesOf(open(patient(uri())).withPrefix("acme"));
        UserStatusCache<Long> other =
                statusesOf(open(patient(uri()).keyPrefix("home")).withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(one) && answersFromMemory(other));

        RevocationReceipt receipt = disable(one);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(other.isEnabled(42L)).isFalse();
    }

    @Test
    void aMarkThatIsLostIsSetAgainAndNothingFromBeforeIsAnsweredFromMemory() {
        UserCaches home = open(patient(uri()));
        UserStatusCache<Long> tenant = statusesOf(home.withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(tenant));
        Session before = sessionOf(home, "acme");
        String mark = redis.hget("{acme:nodes}", MARK);

        redis.del("{acme:nodes}");

        await().until(() -> sessionOf(home, "acme") != before && answersFromMemory(tenant));
        assertThat(requireNonNull(before).isWithin(Duration.ofDays(1).toNanos(), System.nanoTime()))
                .isFalse();
        assertThat(redis.hget("{acme:nodes}", MARK)).isNotNull().isNotEqualTo(mark);
        RevocationReceipt receipt = disable(tenant);
        assertThat(receipt.took()).as("a register that has just begun").isGreaterThan(BOUND.dividedBy(2));
    }

    @Test
    void aMarkThatIsLostClosesWhatIsCachedOfItsTenantOnly() {
        UserCaches home = open(patient(uri()));
        UserStatusCache<Long> own = statusesOf(home);
        UserStatusCache<Long> tenant = statusesOf(home.withPrefix("acme"));
        UserStatusCache<Long> other = statusesOf(home.withPrefix("globex"));
        await().until(() -> answersFromMemory(own) && answersFromMemory(tenant) && answersFromMemory(other));
        Session lost = sessionOf(home, "acme");
        Session homes = home.engine().shared().session("user:42:status");
        Session others = sessionOf(home, "globex");

        redis.del("{acme:nodes}");

        await().until(() -> sessionOf(home, "acme") != lost && answersFromMemory(tenant));
        assertThat(home.engine().shared().session("user:42:status")).isSameAs(homes);
        assertThat(sessionOf(home, "globex")).isSameAs(others);
        assertThat(requireNonNull(others).isWithin(BOUND.toNanos(), System.nanoTime()))
                .isTrue();
    }

    @Test
    void aMarkThatIsUsedIsExtendedAndNothingIsClosed() {
        Duration life = Duration.ofSeconds(8);
        UserCaches home = open(patient(uri()).timing(TRUSTING.withMarkLife(life)));
        UserStatusCache<Long> tenant = statusesOf(home.withPrefix("acme"));
        await().until(() -> answersFromMemory(tenant));
        Session session = sessionOf(home, "acme");
        String set = redis.hget("{acme:nodes}", MARK);

        await().until(() -> !set.equals(redis.hget("{acme:nodes}", MARK)));

        assertThat(redis.pttl("{acme:nodes}")).isGreaterThan(life.toMillis() * 3 / 4);
        assertThat(redis.hget("{acme:nodes}", MARK)).startsWith(set.substring(0, set.indexOf(' ') + 1));
        await().until(() -> answersFromMemory(tenant));
        assertThat(sessionOf(home, "acme")).isSameAs(session);
    }

    @Test
    void nodesAndHomesThatHaveLongBeenSilentAreDroppedByTenants() {
        redis.hset(
                "{acme:nodes}",
                Map.of("#epoch", "before", "#home:gone", "name 1000", "crashed", "1 1000 before status=5000"));

        UserStatusCache<Long> tenant = statusesOf(open(patient(uri())).withPrefix("acme"));

        await().until(() -> answersFromMemory(tenant));
        assertThat(redis.hkeys("{acme:nodes}")).containsExactlyInAnyOrder("#epoch", MARK);
        assertThat(redis.hget("{acme:nodes}", "#epoch"))
                .as("believed a bound later")
                .isNotEqualTo("before");
    }

    @Test
    void homesThatHaveLongBeenSilentAreDroppedByNodesWithThePrefixAsTheirOwn() {
        UserStatusCache<Long> own = statusesOf(open(patient(uri()).keyPrefix("acme")));
        await().until(() -> answersFromMemory(own));
        String epoch = redis.hget("{acme:nodes}", "#epoch");
        redis.hset("{acme:nodes}", "#home:gone", "name 1000");

        await().until(() -> !redis.hexists("{acme:nodes}", "#home:gone"));
        assertThat(redis.hget("{acme:nodes}", "#epoch"))
                .as("believed a bound later")
                .isNotEqualTo(epoch);
    }

    @Test
    void aRegisterOfAnotherTypeIsReplaced() {
        redis.set("{acme:nodes}", "not a hash");

        UserStatusCache<Long> tenant = statusesOf(open(patient(uri())).withPrefix("acme"));

        await().until(() -> answersFromMemory(tenant));
    }

    @Test
    void aTenantWhoseRegisterTheAccountMayNotTouchCostsTheOthersNothing() {
        CommandArgs<String, String> account =
                new CommandArgs<>(StringCodec.UTF8).add("SETUSER").add("tenants");
        for (String rule :
                List.of("on", ">secret", "+@all", "allchannels", "~user:*", "~{user:*", "~acme:*", "~{acme:42:*")) {
            account.add(rule);
        }
        redis.dispatch(CommandType.ACL, new StatusOutput<>(StringCodec.UTF8), account);
        UserCaches home = open(patient(uri().replace("://", "://tenants:secret@")));
        UserStatusCache<Long> own = statusesOf(home);
        UserStatusCache<Long> tenant = statusesOf(home.withPrefix("acme"));
        letRegistersBeBelieved();
        await().until(() -> answersFromMemory(own));

        RevocationReceipt receipt = disable(tenant);

        assertThat(receipt.confirmed()).isTrue();
        assertThat(receipt.took()).isGreaterThanOrEqualTo(BOUND);
        assertThat(home.health().redis()).isEqualTo(CachesHealth.Redis.ANSWERING);
        assertThat(answersFromMemory(own)).isTrue();
    }

    @Test
    void ofTwoPrefixesThatCannotBeToldApartOneIsRefused() {
        UserCaches home = open(patient(uri()));
        for (int i = 0; i < 300; i++) {
            String prefix = "acme" + i;
            AtomicInteger added = new AtomicInteger();
            atOnce(() -> add(home, prefix, added), () -> add(home, prefix + ":eu", added));
            assertThat(added).as(prefix).hasValue(1);
        }
    }

    private static void add(UserCaches home, String prefix, AtomicInteger added) {
        try {
            var unused = home.withPrefix(prefix);
            added.incrementAndGet();
        } catch (IllegalArgumentException e) {
            assertThat(e).hasMessageContaining("cannot be told apart");
        }
    }

    @Test
    void aTenantThatIsOpenedAgainWhileItIsClosedIsCachedInMemory() {
        UserCaches home = open(patient(uri()));
        for (int i = 0; i < Thorough.pick(300, 30); i++) {
            UserCaches tenant = home.withPrefix("acme");
            AtomicReference<UserCaches> again = new AtomicReference<>();
            atOnce(tenant::close, () -> {
                while (again.get() == null) {
                    try {
                        again.set(home.withPrefix("acme"));
                    } catch (IllegalStateException e) {
                        Thread.onSpinWait(); // in use
                    }
                }
            });
            await().until(() -> sessionOf(home, "acme") != null);
            requireNonNull(again.get()).close();
        }
    }

    private static void atOnce(Runnable one, Runnable other) {
        CyclicBarrier together = new CyclicBarrier(2);
        // Threads of their own: the common pool may have one only.
        Executor threads = task -> new Thread(task).start();
        CompletableFuture.allOf(
                        CompletableFuture.runAsync(() -> after(together, one), threads),
                        CompletableFuture.runAsync(() -> after(together, other), threads))
                .join();
    }

    private static void after(CyclicBarrier together, Runnable task) {
        try {
            together.await(10, TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        task.run();
    }

    @Test
    void tenantsThatAreAddedOneAfterTheOtherDoNotStopTheWatermark() {
        UserCaches home = open(patient(uri()));
        UserStatusCache<Long> own = statusesOf(home);
        await().until(() -> answersFromMemory(own));
        AtomicInteger added = new AtomicInteger();
        AtomicReference<Duration> longest = new AtomicReference<>(Duration.ZERO);

        await().pollInterval(Duration.ofMillis(1)).until(() -> {
            var unused = statusesOf(home.withPrefix("tenant-" + added.incrementAndGet()));
            Duration age = requireNonNull(home.health().watermarkAge());
            longest.accumulateAndGet(age, (before, now) -> before.compareTo(now) < 0 ? now : before);
            return added.get() == 1500;
        });

        assertThat(longest.get()).isLessThan(Duration.ofSeconds(1));
    }

    @Test
    void whatATenantCouldNotSendIsSentAfterItsEndAndNotBelievedByItsSuccessor() {
        try (RedisWay proxy = way()) {
            UserCaches home = open(patient(proxy.uri()));
            UserCaches tenant = home.withPrefix("acme");
            UserStatusCache<Long> statuses = statusesOf(tenant);
            await().until(() -> answersFromMemory(statuses));
            proxy.refuse();
            assertThat(disable(statuses).confirmed()).isFalse();
            tenant.close();

            UserCaches again = home.withPrefix("acme");
            assertThat(again.health().pendingFences()).isOne();
            assertThat(statusesOf(again).isEnabled(42L)).isFalse();
            again.close();
            assertThat(redis.exists("acme:42:status")).isOne();
            proxy.restore();
            await().until(() -> redis.exists("acme:42:status") == 0);
        }
    }

    @Test
    void aTenantIsClosedByItselfAndWithItsHome() {
        UserCaches home = open(patient(uri()));
        UserCaches tenant = home.withPrefix("acme");
        UserStatusCache<Long> statuses = statusesOf(tenant);
        assertThatIllegalStateException().isThrownBy(() -> home.withPrefix("acme"));
        assertThatIllegalStateException().isThrownBy(() -> tenant.withPrefix("user"));
        assertThatIllegalArgumentException().isThrownBy(() -> home.withPrefix("acme:eu"));
        tenant.close();
        assertThatIllegalStateException().isThrownBy(() -> tenant.withPrefix("other"));
        assertThatIllegalStateException().isThrownBy(() -> statuses.isEnabled(42L));
        assertThat(statusesOf(home).isEnabled(42L)).isTrue();

        UserStatusCache<Long> again = statusesOf(home.withPrefix("acme"));
        assertThat(again.isEnabled(42L)).isTrue();
        home.close();
        assertThatIllegalStateException().isThrownBy(() -> again.isEnabled(42L));
        assertThatIllegalStateException().isThrownBy(() -> home.withPrefix("other"));
    }

    private static @Nullable Session sessionOf(UserCaches home, String tenant) {
        return home.engine().shared().sessionOfTenant(tenant);
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
        return (RedisCalls.of(redis, "hmget") + RedisCalls.of(redis, "getrange") + RedisCalls.of(redis, "eval")) / 3.0;
    }
}
