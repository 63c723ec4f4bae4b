package dev.usher.spring;

import dev.usher.UserSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A source that reads as if nothing were bound to its thread.
 *
 * <p>What a request has bound there, such as the {@code EntityManager} of an open session in view, remembers rows from earlier in
 * the request, and would answer with them: what everybody is to be told for the next half hour would be what one request had seen
 * before the change.
 */
final class DetachedUserSource<K, V> implements UserSource<K, V> {

    private final UserSource<K, V> source;

    DetachedUserSource(UserSource<K, V> source) {
        this.source = source;
    }

    @Override
    public Map<K, V> load(Set<K> ids) throws Exception {
        // Inside a transaction nothing is loaded that would be stored: see TransactionAwareUserCache.
        if (TransactionSynchronizationManager.isSynchronizationActive()) {
            return source.load(ids);
        }
        Map<Object, Object> bound = new HashMap<>(TransactionSynchronizationManager.getResourceMap());
        bound.keySet().forEach(TransactionSynchronizationManager::unbindResource);
        try {
            return source.load(ids);
        } finally {
            bound.forEach(TransactionSynchronizationManager::bindResource);
        }
    }
}
