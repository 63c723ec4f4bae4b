package dev.usher.spring;

import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.transaction.ConfigurableTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionExecution;
import org.springframework.transaction.TransactionExecutionListener;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * Records when a transaction begins, and registers the callback that announces its changes before all other callbacks run.
 *
 * <p>usher then knows of the commit before another callback announces a change, and knows that an offered row was read no
 * earlier than the transaction began.
 */
final class BeginOfTransaction implements TransactionExecutionListener {

    @Override
    public void afterBegin(TransactionExecution transaction, @Nullable Throwable failure) {
        if (failure == null && TransactionSynchronizationManager.isSynchronizationActive()) {
            EndOfTransaction.ofNewTransaction();
        }
    }

    /** Adds the listener to each transaction manager among the beans of an application. */
    static final class Registrar implements BeanPostProcessor {

        @Override
        public Object postProcessBeforeInitialization(Object bean, String name) {
            // A reactive transaction is not bound to the thread on which it begins.
            if (bean instanceof PlatformTransactionManager && bean instanceof ConfigurableTransactionManager manager) {
                manager.addListener(new BeginOfTransaction());
            }
            return bean;
        }
    }
}
