package dev.usher.server;

import java.sql.SQLException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.MigrationState;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ApplicationContext;
import org.springframework.stereotype.Component;

/**
 * Makes the database ready before the first request reaches it: its tables, and then each {@link PreparationStep} in its order.
 *
 * <p>The server starts without a database that is unreachable, since Redis may answer all requests, and tries again until it is reachable.
 * A database that refuses the server, or a migration that fails, ends the server.
 */
@Component
final class Preparation implements SmartInitializingSingleton, DisposableBean {

    private static final Logger log = LoggerFactory.getLogger(Preparation.class);

    private static final long PAUSE_SECONDS = 1;

    /** Classes of SQL states of an outage: no connection, no room for one, and ended by an operator, in PostgreSQL and in MariaDB. */
    private static final List<String> UNREACHABLE = List.of("08", "53", "57", "70");

    /** The errors of MariaDB for a user with too many connections: their SQL state is that of a wrong statement. */
    private static final Set<Integer> NO_ROOM = Set.of(1203, 1226);

    private final PreparedDataSource database;
    private final Flyway flyway;
    private final Dialect dialect;
    private final List<PreparationStep> steps;
    private final ApplicationContext context;
    private final CountDownLatch closed = new CountDownLatch(1);

    Preparation(
            DataSource database,
            Flyway flyway,
            Dialect dialect,
            List<PreparationStep> steps,
            ApplicationContext context)
            throws SQLException {
        this.database = database.unwrap(PreparedDataSource.class);
        this.flyway = flyway;
        this.dialect = dialect;
        this.steps = steps;
        this.context = context;
    }

    @Override
    public void afterSingletonsInstantiated() {
        if (!tryToPrepare()) {
            log.warn("The database cannot be reached. The server starts without it, and goes on trying");
            Thread thread = new Thread(this::retry, "usher-preparation");
            thread.setDaemon(true);
            thread.start();
        }
    }

    @Override
    public void destroy() {
        closed.countDown();
    }

    private void retry() {
        try {
            do {
                if (closed.await(PAUSE_SECONDS, TimeUnit.SECONDS)) {
                    return;
                }
            } while (!tryToPrepare());
            log.info("The database has been reached, and is ready");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            if (closed.getCount() > 0) {
                log.error("The database cannot be made ready. The server ends", e);
                var unused = SpringApplication.exit(context, () -> 1);
            }
        }
    }

    /** Prepares the database; false when it is unreachable. */
    private boolean tryToPrepare() {
        try {
            database.prepare(() -> {
                if (dialect == Dialect.MARIADB) {
                    forgetFailedMigrations();
                }
                flyway.migrate();
                steps.forEach(PreparationStep::prepare);
            });
            return true;
        } catch (RuntimeException e) {
            if (isUnreachable(e)) {
                return false;
            }
            throw e;
        }
    }

    /** In MariaDB a migration that fails leaves a row that refuses all further ones. Each script can run again over what it has done. */
    private void forgetFailedMigrations() {
        if (Arrays.stream(flyway.info().all()).anyMatch(migration -> migration.getState() == MigrationState.FAILED)) {
            log.warn("A migration of the database has failed before. It runs again");
            var unused = flyway.repair();
        }
    }

    private static boolean isUnreachable(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof SQLException sql && sql.getSQLState() != null) {
                return UNREACHABLE.contains(sql.getSQLState().substring(0, 2)) || NO_ROOM.contains(sql.getErrorCode());
            }
        }
        return false;
    }
}
