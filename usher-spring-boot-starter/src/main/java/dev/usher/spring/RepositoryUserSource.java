package dev.usher.spring;

import static java.util.Objects.requireNonNull;

import dev.usher.UnreadableUsersException;
import dev.usher.UserSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.springframework.data.repository.CrudRepository;

/**
 * A source that reads users through a Spring Data repository, many users with one call of {@link CrudRepository#findAllById}.
 *
 * <pre>{@code
 * UserSource<Long, UserProfile> profiles(AccountRepository accounts) {
 *     return RepositoryUserSource.of(accounts, Account::getId, Account::profile);
 * }
 * }</pre>
 *
 * <p>The repository must read the primary of the database, with one query for all ids and a timeout. The value is made from an
 * entity after the repository has returned it, perhaps after its session has ended, so it must not use lazily fetched
 * attributes. An entity that cannot be mapped makes its own user unavailable, and no other ({@link UnreadableUsersException}).
 *
 * <p>Thread-safe if the repository is.
 *
 * @param <E> the type of the repository's entities
 * @param <K> the type of a user's id, which is the repository's
 * @param <V> the type of the value
 */
public final class RepositoryUserSource<E, K, V> implements UserSource<K, V> {

    private final CrudRepository<E, K> repository;
    private final Function<? super E, ? extends K> id;
    private final Function<? super E, ? extends V> value;

    private RepositoryUserSource(
            CrudRepository<E, K> repository,
            Function<? super E, ? extends K> id,
            Function<? super E, ? extends V> value) {
        this.repository = repository;
        this.id = id;
        this.value = value;
    }

    /**
     * A source that maps a repository's entities.
     *
     * @param repository the repository of the entities
     * @param id returns an entity's id
     * @param value makes the value from an entity; never returns {@code null}
     * @param <E> the type of the repository's entities
     * @param <K> the type of a user's id
     * @param <V> the type of the value
     * @return the source
     */
    public static <E, K, V> RepositoryUserSource<E, K, V> of(
            CrudRepository<E, K> repository,
            Function<? super E, ? extends K> id,
            Function<? super E, ? extends V> value) {
        return new RepositoryUserSource<>(repository, id, value);
    }

    @Override
    public Map<K, V> load(Set<K> ids) {
        Map<K, V> found = new HashMap<>();
        Map<K, Exception> failures = new HashMap<>(0);
        for (E entity : repository.findAllById(ids)) {
            K user = id.apply(entity);
            try {
                found.put(
                        user, requireNonNull(value.apply(entity), "the mapping function returned null for an entity"));
            } catch (RuntimeException e) {
                failures.put(user, e);
            }
        }
        if (!failures.isEmpty()) {
            throw new UnreadableUsersException(found, failures);
        }
        return found;
    }
}
