package dev.usher.spring;

import static java.util.Objects.requireNonNull;

import jakarta.persistence.EntityManager;
import jakarta.persistence.EntityManagerFactory;
import java.sql.Connection;
import java.util.concurrent.Callable;
import org.hibernate.Session;
import org.hibernate.engine.spi.SessionImplementor;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.orm.jpa.EntityManagerHolder;
import org.springframework.orm.jpa.EntityManagerProxy;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.transaction.TransactionStatus;
import org.springframework.transaction.support.DefaultTransactionDefinition;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A Hibernate session that is bound to a thread and holds the connection of its first query until it is closed, as Spring
 * Boot's open session in view does.
 *
 * <p>Loaded only where Spring ORM and Hibernate are present.
 */
final class HeldSession {

    private HeldSession() {}

    static boolean isEntityManager(Object resource) {
        return resource instanceof EntityManagerHolder;
    }

    /** Whether a session holds a connection. A session of another provider never does. */
    static boolean isConnected(Object resource) {
        SessionImplementor session = sessionOf(resource);
        return session != null
                && session.isOpen()
                && session.getJdbcCoordinator().getLogicalConnection().isPhysicallyConnected();
    }

    private static @Nullable SessionImplementor sessionOf(Object resource) {
        if (!(resource instanceof EntityManagerHolder holder)) {
            return null;
        }
        EntityManager manager = holder.getEntityManager();
        // Spring Boot's own entity manager is behind a proxy.
        Object target = manager instanceof EntityManagerProxy proxy ? proxy.getTargetEntityManager() : manager;
        return target instanceof SessionImplementor session ? session : null;
    }

    /** Whether a resource of the thread is a connected session whose connection a second session can use. */
    static boolean canLend(Object resource) {
        return resource.getClass() == EntityManagerHolder.class && isConnected(resource);
    }

    /**
     * Runs a call over the connection of a bound session, but in a new session with an empty first-level cache: the bound
     * session would answer with the rows of its earlier queries.
     *
     * <p>The call runs in a read-only transaction of the transaction manager of these sessions, which exposes the connection to
     * JDBC as well. If the application has begun a transaction on the bound session itself, without Spring, the connection is
     * not lent: the end of the read-only transaction would commit it. The call then takes its own connection.
     */
    static <T> T lend(Object factory, Object resource, ListableBeanFactory beans, Callable<T> call) throws Exception {
        SessionImplementor lender = requireNonNull(sessionOf(resource));
        TransactionSynchronizationManager.unbindResource(factory);
        try {
            return lender.isTransactionInProgress()
                    ? call.call()
                    : overConnectionOf(lender, (EntityManagerFactory) factory, beans, call);
        } finally {
            TransactionSynchronizationManager.bindResource(factory, resource);
        }
    }

    private static <T> T overConnectionOf(
            SessionImplementor lender, EntityManagerFactory factory, ListableBeanFactory beans, Callable<T> call)
            throws Exception {
        Connection connection =
                lender.getJdbcCoordinator().getLogicalConnection().getPhysicalConnection();
        try (Session session =
                lender.getFactory().withOptions().connection(connection).openSession()) {
            TransactionSynchronizationManager.bindResource(factory, new EntityManagerHolder(session));
            try {
                return inTransaction(managerOf(factory, beans), call);
            } finally {
                TransactionSynchronizationManager.unbindResource(factory);
            }
        }
    }

    private static @Nullable JpaTransactionManager managerOf(EntityManagerFactory factory, ListableBeanFactory beans) {
        return beans.getBeanProvider(JpaTransactionManager.class).stream()
                .filter(manager -> factory.equals(manager.getEntityManagerFactory()))
                .findFirst()
                .orElse(null);
    }

    private static <T> T inTransaction(@Nullable JpaTransactionManager manager, Callable<T> call) throws Exception {
        if (manager == null) {
            return call.call();
        }
        DefaultTransactionDefinition reading = new DefaultTransactionDefinition();
        reading.setReadOnly(true);
        TransactionStatus transaction = manager.getTransaction(reading);
        T answer;
        try {
            answer = call.call();
        } catch (Throwable e) {
            manager.rollback(transaction);
            throw e;
        }
        manager.commit(transaction);
        return answer;
    }
}
