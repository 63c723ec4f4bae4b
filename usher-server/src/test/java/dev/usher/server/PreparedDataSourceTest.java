package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.datasource.AbstractDataSource;

class PreparedDataSourceTest {

    private final Connection connection = (Connection) Proxy.newProxyInstance(
            Connection.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, arguments) -> {
                throw new UnsupportedOperationException(method.getName());
            });
    private final PreparedDataSource database = new PreparedDataSource(new AbstractDataSource() {

        @Override
        public Connection getConnection() {
            return connection;
        }

        @Override
        public Connection getConnection(String username, String password) {
            return connection;
        }
    });

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
