package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.usher.UnreadableUsersException;
import dev.usher.UserStatus;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.springframework.data.repository.CrudRepository;

class RepositoryUserSourceTest {

    private record Account(Long id, int status) {}

    private final RepositoryUserSource<Account, Long, UserStatus> statuses = RepositoryUserSource.of(
            repositoryOf(new Account(1L, 1), new Account(2L, 2), new Account(3L, 0)),
            Account::id,
            account -> UserStatus.of(account.status()));

    @Test
    void anEntityThatIsNoValueIsItsUsersAlone() {
        assertThatExceptionOfType(UnreadableUsersException.class)
                .isThrownBy(() -> statuses.load(Set.of(1L, 2L, 3L, 4L)))
                .satisfies(e -> {
                    assertThat(e.found()).isEqualTo(Map.of(1L, UserStatus.ENABLED, 3L, UserStatus.DISABLED));
                    assertThat(e.failures()).containsOnlyKeys(2L);
                });
        assertThat(statuses.load(Set.of(1L, 3L, 4L))).hasSize(2);
    }

    /** A repository of the given entities that supports findAllById only. */
    @SuppressWarnings("unchecked")
    private static CrudRepository<Account, Long> repositoryOf(Account... accounts) {
        return (CrudRepository<Account, Long>) Proxy.newProxyInstance(
                CrudRepository.class.getClassLoader(),
                new Class<?>[] {CrudRepository.class},
                (proxy, method, arguments) -> List.of(accounts).stream()
                        .filter(account -> ((Set<Long>) arguments[0]).contains(account.id()))
                        .toList());
    }
}
