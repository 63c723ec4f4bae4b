package dev.usher;

import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;

/** The number of reads in each call of the shared tier. Thread-safe. */
final class BatchSizes implements IntConsumer {

    private final LongAdder batches = new LongAdder();
    private final LongAdder reads = new LongAdder();
    private final IntConsumer listener;

    /**
     * An instance without any calls.
     *
     * @param listener gets each size as well
     */
    BatchSizes(IntConsumer listener) {
        this.listener = listener;
    }

    @Override
    public void accept(int size) {
        batches.increment();
        reads.add(size);
        listener.accept(size);
    }

    long batches() {
        return batches.sum();
    }

    long reads() {
        return reads.sum();
    }
}
