package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.usher.Lookup;
import dev.usher.UnreadableUsersException;
import dev.usher.UserCache;
import dev.usher.UserUnavailableException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
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

    /** A snapshot shows the state of the moment it was taken, however late the row is read. */
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

    /** The ways in which a source cannot read user 13, one of three. */
    enum Way {
        REPORTED(true) {
            @Override
            Map<Long, String> load(Map<Long, String> found) {
                throw new UnreadableUsersException(found, Map.of(13L, new IllegalStateException("the row")));
            }
        },
        NOTHING(true) {
            @Override
            Map<Long, String> load(Map<Long, String> found) {
                found.put(13L, null);
                return found;
            }
        },
        AS_A_WHOLE(false) {
            @Override
            Map<Long, String> load(Map<Long, String> found) {
                throw new IllegalStateException("the source");
            }
        };

        private final boolean byUser;

        Way(boolean byUser) {
            this.byUser = byUser;
        }

        abstract Map<Long, String> load(Map<Long, String> found);
    }

    @ParameterizedTest
    @EnumSource
    void insideATransactionEachUserFailsForItselfAndNoneIsTakenForAbsent(Way way) {
        UserCache<Long, String> failing = new TransactionAwareUserCache<>(
                recording(), ids -> ids.contains(13L) ? way.load(new HashMap<>(Map.of(1L, "Ann"))) : Map.of(1L, "Ann"));
        failing.invalidate(1L);

        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> failing.find(13L))
                .withCauseInstanceOf(IllegalStateException.class);
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> failing.lookUp(13L));
        assertThatExceptionOfType(UserUnavailableException.class).isThrownBy(() -> failing.findFresh(13L));
        assertThat(failing.findAsync(13L)).isCompletedExceptionally();
        List<Long> list = List.of(1L, 2L, 13L);
        assertThatExceptionOfType(UserUnavailableException.class)
                .isThrownBy(() -> failing.findAll(list))
                .satisfies(e -> assertThat(e.ids()).isEqualTo(way.byUser ? Set.of(13L) : Set.copyOf(list)));
        Map<Long, Lookup<String>> found = failing.lookUpAll(list);
        assertThat(found).containsOnlyKeys(list);
        assertThat(found.get(13L)).matches(Lookup::isUnavailable);
        if (way.byUser) {
            assertThat(found.get(1L)).isEqualTo(new Lookup<>(Optional.of("Ann"), Duration.ZERO));
            assertThat(found.get(2L)).isEqualTo(new Lookup<>(Optional.empty(), Duration.ZERO));
        } else {
            assertThat(found.values()).allMatch(Lookup::isUnavailable);
        }
        assertThat(failing.findAll(List.of(1L, 2L))).isEqualTo(Map.of(1L, "Ann"));
    }

    @SuppressWarnings("NullAway")
    private static void offerNothing(UserCache<Long, String> cache) {
        boolean unused = cache.save(42L, null, Instant.now());
    }

    /** Records the read moment of each offered row. */
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
