package dev.usher.relay;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.TimeGauge;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/** What a relay shows in a registry of Micrometer, which is an optional dependency: without a registry this class is not loaded. */
final class RelayMeters {

    private final MeterRegistry registry;
    private final Tags tags;
    private final List<Meter> registered = new ArrayList<>();

    private RelayMeters(MeterRegistry registry, ChangeRelay relay) {
        this.registry = registry;
        this.tags = Tags.of("feed", relay.health().feed());
        registered.add(
                Gauge.builder("usher.relay.active", relay, one -> one.health().isActive() ? 1 : 0)
                        .description("1 while this relay reads the log of the database, else 0")
                        .tags(tags)
                        .register(registry));
        ToDoubleFunction<ChangeRelay> lag = one -> one.health().lag().toNanos();
        registered.add(TimeGauge.builder("usher.relay.lag", relay, TimeUnit.NANOSECONDS, lag)
                .description("Time since the commit of the oldest change that is read and not announced")
                .tags(tags)
                .register(registry));
        registered.add(Gauge.builder("usher.relay.retained", relay, one -> {
                    long retained = one.health().retained();
                    return retained < 0 ? Double.NaN : retained;
                })
                .description("Log that the database keeps for the relays")
                .baseUnit("bytes")
                .tags(tags)
                .register(registry));
        count(
                "usher.relay.events",
                "Changes read in the log",
                relay,
                one -> one.health().events());
        count(
                "usher.relay.fences",
                "Users invalidated",
                relay,
                one -> one.health().fences());
        count(
                "usher.relay.revocations",
                "Users revoked",
                relay,
                one -> one.health().revocations());
        count(
                "usher.relay.flushes",
                "Times that everything was flushed",
                relay,
                one -> one.health().flushes());
    }

    /**
     * Shows the meters of a relay.
     *
     * @return removes them
     */
    static Runnable in(MeterRegistry registry, ChangeRelay relay) {
        return new RelayMeters(registry, relay)::remove;
    }

    private void count(String name, String description, ChangeRelay relay, ToDoubleFunction<ChangeRelay> count) {
        registered.add(FunctionCounter.builder(name, relay, count)
                .description(description)
                .tags(tags)
                .register(registry));
    }

    private void remove() {
        registered.forEach(registry::remove);
    }
}
