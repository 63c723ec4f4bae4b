package dev.usher;

import dev.usher.redis.Closing;
import dev.usher.redis.SharedTier;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.ToDoubleFunction;

/** Meters in a registry of Micrometer. */
final class MicrometerMeters implements Meters {

    private final MeterRegistry registry;
    private final List<Meter> registered = new ArrayList<>();
    private boolean closed;

    MicrometerMeters(MeterRegistry registry) {
        this.registry = registry;
    }

    @Override
    public synchronized Counters countersOf(String facet) {
        if (closed) {
            return new Counters();
        }
        Tags tags = Tags.of("facet", facet);
        DistributionSummary sizes = add(DistributionSummary.builder("usher.source.batch.size")
                .description("Users that one call of the source asks for")
                .baseUnit("users")
                .tags(tags)
                .register(registry));
        Timer answered = add(loadDuration(tags.and("outcome", "answered")).register(registry));
        Timer failed = add(loadDuration(tags.and("outcome", "failed")).register(registry));
        Counters counters = new Counters(
                sizes::record,
                nanos -> answered.record(nanos, TimeUnit.NANOSECONDS),
                nanos -> failed.record(nanos, TimeUnit.NANOSECONDS));
        requests(tags, "near", "present", counters.nearPresent);
        requests(tags, "near", "absent", counters.nearAbsent);
        requests(tags, "shared", "present", counters.sharedPresent);
        requests(tags, "shared", "absent", counters.sharedAbsent);
        requests(tags, "source", "present", counters.sourcePresent);
        requests(tags, "source", "absent", counters.sourceAbsent);
        requests(tags, "stale", "present", counters.stalePresent);
        requests(tags, "stale", "absent", counters.staleAbsent);
        requests(tags, "none", "unavailable", counters.unavailable);
        count("usher.loads", "Calls of the source", tags, counters.loads);
        count("usher.loads.rejected", "Calls of the source that too many waited for", tags, counters.loadsRejected);
        refusedFills(tags.and("reason", "changed"), counters.fillsRefused);
        refusedFills(tags.and("reason", "codec"), counters.fillsNotEncoded);
        offers(tags.and("outcome", "stored"), counters.offersStored);
        offers(tags.and("outcome", "refused"), counters.offersRefused);
        count("usher.claims.waited", "Misses that waited for another process", tags, counters.claimWaits);
        count("usher.refreshes", "Loads of entries that were about to end", tags, counters.refreshes);
        count("usher.near.invalidations", "Changes that Redis has told of", tags, counters.nearInvalidations);
        count("usher.shared.unreadable", "Entries in Redis that could not be read", tags, counters.unreadable);
        count("usher.shared.errors", "Calls of Redis that failed", tags, counters.sharedErrors);
        return counters;
    }

    @Override
    public synchronized BatchSizes sharedBatchSizes() {
        if (closed) {
            return new BatchSizes(size -> {});
        }
        DistributionSummary sizes = add(DistributionSummary.builder("usher.shared.batch.size")
                .description("Reads that one call of Redis carries")
                .baseUnit("reads")
                .register(registry));
        return new BatchSizes(sizes::record);
    }

    @Override
    public synchronized void watermarkOf(SharedTier shared) {
        if (closed) {
            return;
        }
        add(Gauge.builder("usher.near.open", shared, tier -> tier.watermarkAge() == null ? 0 : 1)
                .description("1 while this node hears of every change, else 0")
                .register(registry));
        ToDoubleFunction<SharedTier> age = tier -> {
            Duration known = tier.watermarkAge();
            return known == null ? Double.NaN : known.toNanos();
        };
        add(TimeGauge.builder("usher.near.watermark.age", shared, TimeUnit.NANOSECONDS, age)
                .description("Time since the moment up to which this node has provably seen every change")
                .register(registry));
    }

    @Override
    public synchronized void pendingOf(FenceOutbox fences) {
        if (closed) {
            return;
        }
        add(Gauge.builder("usher.fences.pending", fences, FenceOutbox::size)
                .description("Invalidations that Redis has not confirmed yet")
                .baseUnit("fences")
                .register(registry));
        ToDoubleFunction<FenceOutbox> oldest = outbox -> {
            Duration age = outbox.oldest();
            return age == null ? 0 : age.toNanos();
        };
        add(TimeGauge.builder("usher.fences.oldest.age", fences, TimeUnit.NANOSECONDS, oldest)
                .description("Time since the first of the invalidations that Redis has not confirmed yet")
                .register(registry));
        count("usher.fences.overflows", "Times that invalidations found no room", Tags.empty(), fences.overflows());
        count("usher.fences.resent", "Invalidations confirmed when sent again", Tags.empty(), fences.resent());
    }

    @Override
    public synchronized void close() {
        closed = true;
        Closing closing = new Closing();
        registered.forEach(meter -> closing.step(() -> registry.remove(meter)));
        registered.clear();
        closing.end();
    }

    private static Timer.Builder loadDuration(Tags tags) {
        return Timer.builder("usher.load.duration")
                .description("Time that the source takes")
                .tags(tags);
    }

    private void requests(Tags tags, String tier, String outcome, LongAdder count) {
        count("usher.requests", "Answers, by where they came from", tags.and("tier", tier, "outcome", outcome), count);
    }

    private void refusedFills(Tags tags, LongAdder count) {
        count("usher.fills.refused", "Loaded values that were not stored", tags, count);
    }

    private void offers(Tags tags, LongAdder count) {
        count("usher.offers", "Rows that a caller has offered", tags, count);
    }

    private void count(String name, String description, Tags tags, LongAdder count) {
        add(FunctionCounter.builder(name, count, LongAdder::sum)
                .description(description)
                .tags(tags)
                .register(registry));
    }

    private <M extends Meter> M add(M meter) {
        registered.add(meter);
        return meter;
    }
}
