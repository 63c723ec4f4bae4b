package dev.usher.server;

import static java.util.Objects.requireNonNull;

import java.sql.SQLException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.jdbc.health.DataSourceHealthIndicator;
import org.springframework.stereotype.Component;

/**
 * The database's health indicator of Spring Boot, run on a thread of its own: a frozen database holds a caller of health for 300 ms at most,
 * and four callers at a time.
 *
 * <p>While a check takes longer, the answer is that of the check before, for five seconds, and then "down".
 */
@Component("dbHealthContributor")
@ConditionalOnEnabledHealthIndicator("db")
final class DatabaseHealth implements HealthIndicator, DisposableBean {

    private static final Duration PATIENCE = Duration.ofMillis(300);
    private static final Duration LAST_KNOWN = Duration.ofSeconds(5);
    private static final int MAX_WAITING = 4;

    private final HealthIndicator database;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(task -> {
        Thread checking = new Thread(task, "usher-database-health");
        checking.setDaemon(true);
        return checking;
    });
    private final Semaphore waiting = new Semaphore(MAX_WAITING);
    private @Nullable CompletableFuture<Health> current;
    private long begunAt;
    private Health last = Health.unknown().build();

    /** Without the bound on waiting callers: it is one thread, and the database may be well while they wait. */
    DatabaseHealth(DataSource database) throws SQLException {
        this.database = new DataSourceHealthIndicator(
                database.unwrap(PreparedDataSource.class).unbounded());
    }

    @Override
    public Health health() {
        CompletableFuture<Health> check = check();
        if (!waiting.tryAcquire()) {
            return lastKnown();
        }
        try {
            return check.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return lastKnown();
        } catch (ExecutionException e) {
            return Health.down(Objects.requireNonNull(e.getCause())).build();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return lastKnown();
        } finally {
            waiting.release();
        }
    }

    /** The check under way, or a new one. */
    private synchronized CompletableFuture<Health> check() {
        CompletableFuture<Health> check = current;
        if (check == null || check.isDone()) {
            begunAt = System.nanoTime();
            check = CompletableFuture.supplyAsync(() -> remember(requireNonNull(database.health())), thread);
            current = check;
        }
        return check;
    }

    private synchronized Health remember(Health health) {
        last = health;
        return health;
    }

    /** The result before the check under way, which may only be slow. */
    private synchronized Health lastKnown() {
        if (System.nanoTime() - begunAt < LAST_KNOWN.toNanos()) {
            return last;
        }
        return Health.down().withDetail("error", "the database does not answer").build();
    }

    @Override
    public void destroy() {
        thread.shutdownNow();
    }
}
