package dev.usher;

import dev.usher.redis.SharedTier;
import io.micrometer.core.instrument.MeterRegistry;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link UserCaches} shows in a {@link MeterRegistry}, if there is one: its counters, read when the registry is read,
 * and a few distributions. Names, units and tags are in {@code docs/guide/metrics.md}; no tag ever holds an id.
 *
 * <p>Closing it removes its meters. Thread-safe.
 */
interface Meters extends AutoCloseable {

    /**
     * Meters in a registry, or none. Micrometer is an optional dependency: without a registry, none of its classes is linked.
     *
     * @param registry where meters are shown, or {@code null} when they are not
     */
    static Meters in(@Nullable MeterRegistry registry) {
        return registry == null ? new NoMeters() : new MicrometerMeters(registry);
    }

    /** The counters of a facet. */
    Counters countersOf(String facet);

    /** The sizes of the shared tier's batches. */
    BatchSizes sharedBatchSizes();

    /** Shows the near tier's watermark. A closed near tier has none. */
    void watermarkOf(SharedTier shared);

    /** Shows how much waits to be sent. */
    void pendingOf(FenceOutbox fences);

    @Override
    void close();

    /** Counters that no registry shows. */
    final class NoMeters implements Meters {

        @Override
        public Counters countersOf(String facet) {
            return new Counters();
        }

        @Override
        public BatchSizes sharedBatchSizes() {
            return new BatchSizes(size -> {});
        }

        @Override
        public void watermarkOf(SharedTier shared) {}

        @Override
        public void pendingOf(FenceOutbox fences) {}

        @Override
        public void close() {}
    }
}
