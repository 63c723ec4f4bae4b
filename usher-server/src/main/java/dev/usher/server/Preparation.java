package dev.usher.server;

import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
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
 * <p>A database that is away does not keep the server from starting, for Redis may hold all that is asked for: it is tried again
 * until it is there. One that refuses, or a migration that fails, ends the server.
 */
@Component
final class Preparation implements SmartInitializingSingleton, DisposableBean {

    private static final Logger log = LoggerFactory.getLogger(Preparation.class);

    private static final long PAUSE_SECONDS = 1;

    /** Classes of SQL states that say "not now": no connection, no room for one, and ended by an operator. */
    private static final List<String> AWAY = List.of("08", "53", "57");

    private final PreparedDataSource database;
    private final Flyway flyway;
    private final List<PreparationStep> steps;
    private final ApplicationContext context;
    private final CountDownLatch closed = new CountDownLatch(1);

    Preparation(DataSource database, Flyway flyway, List<PreparationStep> steps, ApplicationContext context)
            throws SQLException {
        this.database = database.unwrap(PreparedDataSource.class);
        this.flyway = flyway;
        this.steps = steps;
        this.context = context;
    }

    @Override
    public void afterSingletonsInstantiated() {
        if (!isDone()) {
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
            } while (!isDone());
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

    /** Does what is to be done, and says whether it is: it is not when the database is away. */
    private boolean isDone() {
        try {
            database.prepare(() -> {
                flyway.migrate();
                steps.forEach(PreparationStep::prepare);
            });
            return true;
        } catch (RuntimeException e) {
            if (isAway(e)) {
                return false;
            }
            throw e;
        }
    }

    private static boolean isAway(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof SQLException sql && sql.getSQLState() != null) {
                return AWAY.contains(sql.getSQLState().substring(0, 2));
            }
        }
        return false;
    }
}
