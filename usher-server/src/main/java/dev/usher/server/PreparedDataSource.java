package dev.usher.server;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.datasource.DelegatingDataSource;

/**
 * A database that cannot be reached until it has been prepared: nobody sees it without its tables, or with some of them. Until
 * then it fails as one does that is away, so that callers are answered alike.
 */
final class PreparedDataSource extends DelegatingDataSource {

    /** SQL's own, of a client that cannot connect. */
    private static final String CANNOT_CONNECT = "08001";

    private volatile boolean prepared;
    private volatile @Nullable Thread preparing;

    PreparedDataSource(DataSource target) {
        super(target);
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
        return super.getConnection();
    }

    @Override
    public Connection getConnection(String username, String password) throws SQLException {
        requireEntry();
        return super.getConnection(username, password);
    }

    private void requireEntry() throws SQLException {
        if (!prepared && preparing != Thread.currentThread()) {
            throw new SQLTransientConnectionException("the database is not prepared yet", CANNOT_CONNECT);
        }
    }
}
