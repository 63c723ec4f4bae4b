package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserSource;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.core.ResolvableType;
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
     * Makes a cache, which knows of transactions where there can be any.
     *
     * @param source a bean, whose type says what ids are, or a source of anybody's
     */
    <K, V> UserCache<K, V> cache(Facet<V> facet, UserSource<K, V> source) {
        if (!TRANSACTIONS) {
            return make(facet, source, source);
        }
        UserSource<K, V> detached = new DetachedUserSource<>(source, new BoundConnections(beans));
        return new TransactionAwareUserCache<>(make(facet, source, detached), detached);
    }

    @SuppressWarnings("unchecked")
    private <K, V> UserCache<K, V> make(Facet<V> facet, UserSource<K, V> bean, UserSource<K, V> source) {
        Class<?> idType = idTypeOf(bean);
        return idType == null ? caches.cache(facet, source) : caches.cache(facet, (Class<K>) idType, source);
    }

    private @Nullable Class<?> idTypeOf(UserSource<?, ?> source) {
        for (String name : beans.getBeanNamesForType(UserSource.class, true, false)) {
            // Only what is there already: another source may be made of the very cache that this is for.
            if (source.equals(beans.getSingleton(name))) {
                Class<?> declared = UserCacheRegistrar.idOf(name, beans);
                if (declared != null) {
                    return declared;
                }
            }
        }
        return ResolvableType.forInstance(source)
                .as(UserSource.class)
                .getGeneric(0)
                .resolve();
    }
}
