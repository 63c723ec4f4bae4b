package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.usher.UserCache;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.transaction.support.TransactionSynchronizationUtils;

class TransactionAwareUserCacheTest {

    private final List<Instant> offeredAsOf = new ArrayList<>();
    private final UserCache<Long, String> cache = new TransactionAwareUserCache<>(recording(), ids -> Map.of());

    @BeforeEach
    void begin() {
        TransactionSynchronizationManager.initSynchronization();
        TransactionSynchronizationManager.setActualTransactionActive(true);
        EndOfTransaction.ofNewTransaction();
    }

    @AfterEach
    void end() {
        TransactionSynchronizationManager.clear();
    }

    /** A snapshot shows what was true when it was taken, however late the row is read. */
    @Test
    void aRowOfATransactionIsNoYoungerThanTheTransaction() {
        Instant begun = Instant.now();
        Instant before = begun.minusSeconds(60);

        cache.save(42L, "Ann", begun.plusSeconds(60));
        cache.save(43L, "Bob", before);
        assertThat(offeredAsOf).isEmpty();
        TransactionSynchronizationUtils.triggerAfterCommit();

        assertThat(offeredAsOf).hasSize(2);
        assertThat(offeredAsOf.get(0)).isBeforeOrEqualTo(begun).isAfter(begun.minus(Duration.ofSeconds(30)));
        assertThat(offeredAsOf.get(1)).isEqualTo(before);

        cache.save(44L, "Cid", begun.plusSeconds(60));
        assertThat(offeredAsOf.get(2)).as("after the commit").isEqualTo(offeredAsOf.get(0));
    }

    @Test
    void aUserThatDoesNotExistCannotBeOffered() {
        assertThatNullPointerException().isThrownBy(() -> offerNothing(cache));
    }

    @SuppressWarnings("NullAway")
    private static void offerNothing(UserCache<Long, String> cache) {
        boolean unused = cache.save(42L, null, Instant.now());
    }

    /** Notes as of when a row is offered. */
    @SuppressWarnings("unchecked")
    private UserCache<Long, String> recording() {
        return (UserCache<Long, String>) Proxy.newProxyInstance(
                UserCache.class.getClassLoader(), new Class<?>[] {UserCache.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("save")) {
                        offeredAsOf.add((Instant) arguments[2]);
                        return true;
                    }
                    return "user:42:name";
                });
    }
}
