package dev.usher.server;

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
 * How the database is doing, as Spring Boot says it, but looked at by a thread of its own: a database that is frozen holds no caller
 * of health for longer than a moment, and few of them.
 *
 * <p>A look that takes longer than that is answered with what the one before has said, for five seconds, and then with "down".
 */
@Component("dbHealthContributor")
@ConditionalOnEnabledHealthIndicator("db")
final class DatabaseHealth implements HealthIndicator, DisposableBean {

    private static final Duration PATIENCE = Duration.ofMillis(300);
    private static final Duration LAST_KNOWN = Duration.ofSeconds(5);
    private static final int MAX_WAITING = 4;

    private final HealthIndicator database;
    private final ExecutorService thread = Executors.newSingleThreadExecutor(task -> {
        Thread looking = new Thread(task, "usher-database-health");
        looking.setDaemon(true);
        return looking;
    });
    private final Semaphore waiting = new Semaphore(MAX_WAITING);
    private @Nullable CompletableFuture<Health> underWay;
    private long begunAt;
    private Health last = Health.unknown().build();

    /** It needs no place among the callers that wait for a connection: it is one thread, and the database may be well while they wait. */
    DatabaseHealth(DataSource database) throws SQLException {
        this.database = new DataSourceHealthIndicator(
                database.unwrap(PreparedDataSource.class).unbounded());
    }

    @Override
    public Health health() {
        CompletableFuture<Health> look = look();
        if (!waiting.tryAcquire()) {
            return lastKnown();
        }
        try {
            return look.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
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

    /** One at a time, for all who ask meanwhile. */
    private synchronized CompletableFuture<Health> look() {
        CompletableFuture<Health> current = underWay;
        if (current == null || current.isDone()) {
            begunAt = System.nanoTime();
            current = CompletableFuture.supplyAsync(database::health, thread);
            underWay = current.thenApply(this::remember);
            current = underWay;
        }
        return current;
    }

    private synchronized Health remember(Health health) {
        last = health;
        return health;
    }

    /** What was known before the look under way, which may only be slow. */
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
