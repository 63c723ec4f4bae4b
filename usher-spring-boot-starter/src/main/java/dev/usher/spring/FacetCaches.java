package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import java.util.function.UnaryOperator;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.util.ClassUtils;

/** Creates the cache of a facet from a source among the application's beans. */
final class FacetCaches {

    private static final boolean TRANSACTIONS = ClassUtils.isPresent(
            "org.springframework.transaction.support.TransactionSynchronizationManager",
            FacetCaches.class.getClassLoader());

    private final UserCaches caches;
    private final ConfigurableListableBeanFactory beans;

    FacetCaches(UserCaches caches, ConfigurableListableBeanFactory beans) {
        this.caches = caches;
        this.beans = beans;
    }

    /**
     * Creates a cache whose type of ids comes from its source.
     *
     * @param value the type of the values
     * @param source a bean
     * @throws IdTypesException if neither the bean's type nor its class declares the type of the ids
     */
    @SuppressWarnings("unchecked")
    <K, V> UserCache<K, V> cacheOfBean(Facet<V> facet, Class<?> value, UserSource<K, V> source) {
        Class<K> idClass = (Class<K>) UserIdClasses.of(source, value, facet.name(), beans);
        boolean isAnnounced =
                value == UserStatus.class && beans.getBeanNamesForType(RevokedIds.class, true, false).length > 0;
        return cache(facet, idClass, source, isAnnounced ? this::announced : UnaryOperator.identity());
    }

    @SuppressWarnings("unchecked") // All users of an application have the same type of ids.
    private <K, V> UserCache<K, V> announced(UserCache<K, V> cache) {
        return new AnnouncedUserCache<>(cache, () -> (RevokedIds<K>) beans.getBean(RevokedIds.class));
    }

    /** Creates a cache, which is aware of transactions if Spring's transactions are present. */
    <K, V> UserCache<K, V> cache(Facet<V> facet, Class<K> idClass, UserSource<K, V> source) {
        return cache(facet, idClass, source, UnaryOperator.identity());
    }

    private <K, V> UserCache<K, V> cache(
            Facet<V> facet, Class<K> idClass, UserSource<K, V> source, UnaryOperator<UserCache<K, V>> within) {
        if (!TRANSACTIONS) {
            return within.apply(caches.cache(facet, idClass, source));
        }
        UserSource<K, V> detached = new DetachedUserSource<>(source, new BoundConnections(beans));
        return new TransactionAwareUserCache<>(within.apply(caches.cache(facet, idClass, detached)), detached);
    }
}
