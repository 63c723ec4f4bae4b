package dev.usher.spring;

import dev.usher.UserSource;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A source that reads for others as if nothing were bound to its thread, and for its thread alone over what is bound there.
 *
 * <p>What a request has bound, such as the {@code EntityManager} of an open session in view, remembers rows from earlier in the
 * request. Such rows may not answer other callers, so what is bound is put aside while a load for others runs.
 *
 * <p>A thread that holds a connection may not wait for a second one of the same pool: a pool full of such threads comes to a
 * standstill. So such a thread {@linkplain #canLoadForOthers loads for itself}, over its own connection.
 */
final class DetachedUserSource<K, V> implements UserSource<K, V> {

    private final UserSource<K, V> source;
    private final BoundConnections connections;

    DetachedUserSource(UserSource<K, V> source, BoundConnections connections) {
        this.source = source;
        this.connections = connections;
    }

    /** Whether the calling thread is outside of transactions and their scopes, and holds no connection, as far as Spring knows. */
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
