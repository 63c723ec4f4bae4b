package dev.usher.server;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.datasource.DelegatingDataSource;

/**
 * A data source that hands out no connection before the database has been prepared, and bounds the threads that wait for one. Until then it
 * fails as an unreachable database does, so that callers are answered alike and never see a part of the tables.
 */
final class PreparedDataSource extends DelegatingDataSource {

    /** The SQLSTATE of a client that cannot connect. */
    private static final String CANNOT_CONNECT = "08001";

    private volatile boolean prepared;
    private volatile @Nullable Thread preparing;

    private final Semaphore waiting;

    /**
     * A data source that is not prepared yet.
     *
     * @param maxWaiting how many threads may wait for a connection at a time; the next one fails at once
     */
    PreparedDataSource(DataSource target, int maxWaiting) {
        super(target);
        this.waiting = new Semaphore(maxWaiting);
    }

    /** Gives connections to the calling thread while it does the work, and to all threads once it is done. */
    void prepare(Runnable work) {
        preparing = Thread.currentThread();
        try {
            work.run();
            prepared = true;
        } finally {
            preparing = null;
        }
    }

    @Override
    public Connection getConnection() throws SQLException {
        requireEntry();
        try {
            return super.getConnection();
        } finally {
            waiting.release();
        }
    }

    @Override
    public Connection getConnection(String username, String password) throws SQLException {
        requireEntry();
        try {
            return super.getConnection(username, password);
        } finally {
            waiting.release();
        }
    }

    /** The same database without the bound, for a thread that must not be refused while others wait. */
    DataSource unbounded() {
        return new DelegatingDataSource(Objects.requireNonNull(getTargetDataSource())) {
            @Override
            public Connection getConnection() throws SQLException {
                requirePrepared();
                return super.getConnection();
            }

            @Override
            public Connection getConnection(String username, String password) throws SQLException {
                requirePrepared();
                return super.getConnection(username, password);
            }
        };
    }

    private void requirePrepared() throws SQLException {
        if (!prepared && preparing != Thread.currentThread()) {
            throw new NoConnection("the database is not prepared yet");
        }
    }

    private void requireEntry() throws SQLException {
        requirePrepared();
        if (!waiting.tryAcquire()) {
            throw new NoConnection("too many callers wait for a connection to the database already");
        }
    }

    /** Without a stack trace: many callers may get it at once. */
    private static final class NoConnection extends SQLTransientConnectionException {

        private static final long serialVersionUID = 1L;

        NoConnection(String message) {
            super(message, CANNOT_CONNECT);
        }

        @Override
        public synchronized Throwable fillInStackTrace() {
            return this;
        }
    }
}
