package dev.usher.spring;

import dev.usher.UserSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A source that ignores the resources bound to its thread while it loads for other callers, and uses them while it loads for
 * its own thread alone.
 *
 * <p>A resource bound by a request, such as the {@code EntityManager} of an open session in view, keeps rows from earlier in
 * the request. Such rows must not answer other callers, so the bound resources are put aside while a load for others runs.
 *
 * <p>A thread that holds a connection must not wait for a second one from the same pool: threads that all do so deadlock. So
 * such a thread {@linkplain #canLoadForOthers loads for itself}, over its own connection.
 */
final class DetachedUserSource<K, V> implements UserSource<K, V> {

    private final UserSource<K, V> source;
    private final BoundConnections connections;

    DetachedUserSource(UserSource<K, V> source, BoundConnections connections) {
        this.source = source;
        this.connections = connections;
    }

    /**
     * Whether the calling thread is outside of any transaction or transactional scope and holds no connection, as far as Spring
     * knows.
     */
    @Override
    public boolean canLoadForOthers() {
        return !BoundConnections.isInTransaction() && !connections.isHeld();
    }

    @Override
    public Map<K, V> load(Set<K> ids) throws Exception {
        if (!canLoadForOthers()) {
            return connections.share(() -> source.load(ids));
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
