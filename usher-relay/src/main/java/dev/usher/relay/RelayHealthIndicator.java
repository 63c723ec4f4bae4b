package dev.usher.relay;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;

/** The health of the relay: up, unknown while it starts, or degraded while it does not follow. Never down: the application answers as without it. */
final class RelayHealthIndicator extends AbstractHealthIndicator {

    private static final Status DEGRADED = new Status("DEGRADED");

    private final RelayLifecycle relay;

    RelayHealthIndicator(RelayLifecycle relay) {
        this.relay = relay;
    }

    @Override
    protected void doHealthCheck(Health.Builder builder) {
        RelayHealth health = relay.health();
        if (health == null) {
            builder.unknown();
            return;
        }
        builder.status(statusOf(health)).withDetail("state", health.state()).withDetail("feed", health.feed());
        detail(builder, "lastError", health.lastError());
        builder.withDetail("lag", health.lag().toMillis() + "ms");
        detail(builder, "retained", health.retained() < 0 ? null : health.retained());
        detail(builder, "position", health.position());
        detail(builder, "detail", health.detail());
        builder.withDetail("flushing", health.isFlushing());
    }

    private static Status statusOf(RelayHealth health) {
        if (health.state() == RelayHealth.State.BROKEN || health.lastError() != null) {
            return DEGRADED;
        }
        return health.state() == RelayHealth.State.STARTING ? Status.UNKNOWN : Status.UP;
    }

    private static void detail(Health.Builder builder, String name, @Nullable Object value) {
        if (value != null) {
            builder.withDetail(name, value);
        }
    }
}
