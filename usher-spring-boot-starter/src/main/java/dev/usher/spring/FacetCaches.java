package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.util.ClassUtils;

/** Makes the cache of a facet from a source among the beans of the application. */
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
     * Makes a cache of ids of the type that its source says.
     *
     * @param value what it is asked for
     * @param source a bean
     * @throws IdTypesException when neither the bean's type nor its class says what ids are
     */
    @SuppressWarnings("unchecked")
    <K, V> UserCache<K, V> cacheOfBean(Facet<V> facet, Class<?> value, UserSource<K, V> source) {
        return cache(facet, (Class<K>) UserIdClasses.of(source, value, facet.name(), beans), source);
    }

    /** Makes a cache, which knows of transactions where there can be any. */
    <K, V> UserCache<K, V> cache(Facet<V> facet, Class<K> idClass, UserSource<K, V> source) {
        if (!TRANSACTIONS) {
            return caches.cache(facet, idClass, source);
        }
        UserSource<K, V> detached = new DetachedUserSource<>(source, new BoundConnections(beans));
        return new TransactionAwareUserCache<>(caches.cache(facet, idClass, detached), detached);
    }
}
