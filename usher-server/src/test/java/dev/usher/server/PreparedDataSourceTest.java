package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.datasource.AbstractDataSource;

class PreparedDataSourceTest {

    private static final int MAX_WAITING = 2;

    private final Connection connection = (Connection) Proxy.newProxyInstance(
            Connection.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                throw new UnsupportedOperationException(method.getName());
            });
    private final Semaphore arrived = new Semaphore(0);
    private final CountDownLatch free = new CountDownLatch(1);
    private volatile boolean isBusy;

    private final PreparedDataSource database = new PreparedDataSource(
            new AbstractDataSource() {

                @Override
                public Connection getConnection() throws SQLException {
                    if (!isBusy) {
                        return connection;
                    }
                    arrived.release();
                    try {
                        free.await();
                    } catch (InterruptedException e) {
                        throw new SQLException(e);
                    }
                    return connection;
                }

                @Override
                public Connection getConnection(String username, String password) {
                    return connection;
                }
            },
            MAX_WAITING);

    @Test
    void beforeItIsPreparedItIsAway() {
        assertAway();
    }

    @Test
    void onlyWhoPreparesItGetsIn() throws SQLException {
        database.prepare(() -> {
            try {
                assertThat(database.getConnection()).isSameAs(connection);
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
            Thread other = new Thread(this::assertAway);
            Throwable[] failure = new Throwable[1];
            other.setUncaughtExceptionHandler((thread, e) -> failure[0] = e);
            other.start();
            join(other);
            assertThat(failure[0]).isNull();
        });

        assertThat(database.getConnection()).isSameAs(connection);
        assertThat(database.getConnection("ann", "secret")).isSameAs(connection);
    }

    @Test
    void aPreparationThatFailsLeavesItAway() {
        assertThatIllegalStateException()
                .isThrownBy(() -> database.prepare(() -> {
                    throw new IllegalStateException();
                }));

        assertAway();
    }

    @Test
    void soManyWaitForAConnectionAndTheNextOneFailsAtOnceAndCheaply() throws Exception {
        database.prepare(() -> {});
        isBusy = true;
        ExecutorService threads = Executors.newFixedThreadPool(MAX_WAITING + 1);
        try {
            List<Future<Connection>> waiting = new ArrayList<>();
            for (int i = 0; i < MAX_WAITING; i++) {
                waiting.add(threads.submit(() -> database.getConnection()));
            }
            arrived.acquire(MAX_WAITING);

            Future<Connection> next = threads.submit(() -> database.getConnection());
            assertThatThrownBy(() -> next.get(10, TimeUnit.SECONDS))
                    .cause()
                    .isInstanceOf(SQLTransientConnectionException.class)
                    .hasMessage("too many callers wait for a connection to the database already")
                    .satisfies(failure -> assertThat(failure.getStackTrace()).isEmpty());

            free.countDown();
            for (Future<Connection> one : waiting) {
                assertThat(one.get()).isSameAs(connection);
            }
            assertThat(database.getConnection()).isSameAs(connection);
        } finally {
            threads.shutdownNow();
        }
    }

    private void assertAway() {
        assertThatThrownBy(database::getConnection)
                .isInstanceOf(SQLTransientConnectionException.class)
                .hasMessage("the database is not prepared yet");
        assertThatThrownBy(() -> database.getConnection("ann", "secret"))
                .isInstanceOf(SQLTransientConnectionException.class);
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
