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
 * A database for whose connections so many threads wait at a time, and which cannot be reached until it has been prepared: nobody sees it without its tables, or with some of them. Until
 * then it fails as one does that is away, so that callers are answered alike.
 */
final class PreparedDataSource extends DelegatingDataSource {

    /** SQL's own, of a client that cannot connect. */
    private static final String CANNOT_CONNECT = "08001";

    private volatile boolean prepared;
    private volatile @Nullable Thread preparing;

    private final Semaphore waiting;

    /**
     * A database.
     *
     * @param maxWaiting how many threads may wait for a connection at a time; the next one fails at once
     */
    PreparedDataSource(DataSource target, int maxWaiting) {
        super(target);
        this.waiting = new Semaphore(maxWaiting);
    }

    /** Lets the calling thread in while it does the work, and everybody once it is done. */
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

    /** The same database for one thread that waits whatever others wait, once it is prepared. */
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

    /** Without a stack trace, for many callers may get it at once. */
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
