package dev.usher.spring;

import dev.usher.CachesHealth;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.convert.DurationStyle;
import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;

/**
 * The health of the caches: up, or degraded if there is a problem.
 *
 * <p>Never down: without Redis, the caches still answer. An instance that is taken out of rotation would only leave its work to
 * the others, which have lost the same Redis.
 */
final class UsherHealthIndicator extends AbstractHealthIndicator {

    static final Status DEGRADED = new Status("DEGRADED");

    private final Supplier<CachesHealth> caches;
    private final boolean cachesAlone;

    /**
     * An indicator.
     *
     * @param cachesAlone whether the settings turn off the current user and the status gate
     */
    UsherHealthIndicator(Supplier<CachesHealth> caches, boolean cachesAlone) {
        this.caches = caches;
        this.cachesAlone = cachesAlone;
    }

    @Override
    protected void doHealthCheck(Health.Builder builder) {
        CachesHealth health = caches.get();
        builder.status(health.isWell() ? Status.UP : DEGRADED).withDetail("redis", health.redis());
        detail(builder, "lastError", health.lastError());
        builder.withDetail("nearOpen", health.nearOpen());
        detail(builder, "watermarkAge", text(health.watermarkAge()));
        builder.withDetail("pendingFences", health.pendingFences());
        detail(builder, "oldestPendingFence", text(health.oldestPendingFence()));
        builder.withDetail("fencesOverflowed", health.fencesOverflowed());
        detail(builder, "resp2Only", health.resp2Only() ? true : null);
        builder.withDetail("topology", health.topology());
        detail(builder, "primary", health.primary());
        detail(builder, "primaries", health.primaries().isEmpty() ? null : health.primaries());
        detail(builder, "role", health.role());
        detail(builder, "replicas", health.replicas());
        detail(builder, "unfenced", health.unfenced());
        detail(builder, "lag", text(health.lag()));
        detail(builder, "riskyEviction", health.riskyEviction());
        detail(builder, "unfitServer", health.unfitServer());
        detail(builder, "sentinels", health.sentinels());
        detail(builder, "riskyFailover", health.riskyFailover());
        detail(builder, "source", health.source().isEmpty() ? null : health.source());
        detail(builder, "uncached", health.uncached().isEmpty() ? null : health.uncached());
        detail(builder, "currentUser", cachesAlone ? "none" : null);
        detail(builder, "statusGate", cachesAlone ? "none" : null);
    }

    private static void detail(Health.Builder builder, String name, @Nullable Object value) {
        if (value != null) {
            builder.withDetail(name, value);
        }
    }

    /** The duration in the format of a setting: {@code 42ms}. */
    private static @Nullable String text(@Nullable Duration duration) {
        return duration == null ? null : DurationStyle.SIMPLE.print(duration, ChronoUnit.MILLIS);
    }
}
