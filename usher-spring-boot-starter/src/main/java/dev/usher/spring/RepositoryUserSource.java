package dev.usher.spring;

import dev.usher.UserSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.springframework.data.repository.CrudRepository;

/**
 * A source that reads users through a repository of Spring Data, many with one call of {@link CrudRepository#findAllById}.
 *
 * <pre>{@code
 * UserSource<Long, UserProfile> profiles(AccountRepository accounts) {
 *     return RepositoryUserSource.of(accounts, Account::getId, Account::profile);
 * }
 * }</pre>
 *
 * <p>The repository must read the primary of the database, with one query for all ids and a timeout. The value is made of an
 * entity when the repository has returned it, perhaps after its session has ended: it may not depend on what is fetched lazily.
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
     * A source of what a repository's entities say.
     *
     * @param repository where the entities are
     * @param id an entity's id
     * @param value what an entity says; never {@code null}
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
        for (E entity : repository.findAllById(ids)) {
            found.put(id.apply(entity), value.apply(entity));
        }
        return found;
    }
}
