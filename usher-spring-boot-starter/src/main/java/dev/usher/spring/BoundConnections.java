package dev.usher.spring;

import java.util.Map;
import java.util.concurrent.Callable;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.jdbc.datasource.ConnectionHolder;
import org.springframework.transaction.support.ResourceHolder;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.util.ClassUtils;

/**
 * The database connections that the calling thread holds, as far as Spring knows: those of its transaction, of an open session
 * in view, or bound by the application.
 */
final class BoundConnections {

    private static final boolean JDBC = isPresent("org.springframework.jdbc.datasource.ConnectionHolder");
    private static final boolean HIBERNATE =
            isPresent("org.springframework.orm.jpa.EntityManagerHolder") && isPresent("org.hibernate.Session");

    private final ListableBeanFactory beans;

    /** The connections of an application whose transaction managers are among these beans. */
    BoundConnections(ListableBeanFactory beans) {
        this.beans = beans;
    }

    private static boolean isPresent(String type) {
        return ClassUtils.isPresent(type, BoundConnections.class.getClassLoader());
    }

    /**
     * Whether the calling thread is inside a transaction, in a transactional scope without a transaction, or in the callbacks
     * at the end of either.
     */
    static boolean isInTransaction() {
        return TransactionSynchronizationManager.isSynchronizationActive()
                || TransactionSynchronizationManager.isActualTransactionActive();
    }

    /** Whether the calling thread holds a connection. */
    boolean isHeld() {
        for (Object resource :
                TransactionSynchronizationManager.getResourceMap().values()) {
            if (resource instanceof ResourceHolder holder && holdsConnection(holder)) {
                return true;
            }
        }
        return false;
    }

    private static boolean holdsConnection(ResourceHolder holder) {
        if (JDBC && holder instanceof ConnectionHolder jdbc) {
            return jdbc.getConnectionHandle() != null;
        }
        if (HIBERNATE && HeldSession.isEntityManager(holder)) {
            // Outside of a transaction, other providers take a connection for each query.
            return HeldSession.isConnected(holder);
        }
        // A holder of another technology may hold a connection.
        return true;
    }

    /**
     * Runs a call so that it reads over the connection that the calling thread holds, whichever way the call asks Spring for
     * one.
     *
     * <p>A transaction has already bound its connection for JPA and for JDBC. An open session in view has not, so its
     * connection is lent to the call.
     */
    <T> T share(Callable<T> call) throws Exception {
        Map<Object, Object> resources = TransactionSynchronizationManager.getResourceMap();
        boolean isBound = TransactionSynchronizationManager.isActualTransactionActive()
                || (JDBC && resources.values().stream().anyMatch(ConnectionHolder.class::isInstance));
        if (HIBERNATE && !isBound) {
            for (Map.Entry<Object, Object> resource : resources.entrySet()) {
                if (HeldSession.canLend(resource.getValue())) {
                    return HeldSession.lend(resource.getKey(), resource.getValue(), beans, call);
                }
            }
        }
        return call.call();
    }
}
