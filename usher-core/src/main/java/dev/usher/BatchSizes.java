package dev.usher;

import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;

/** How many reads rode together in each call of the shared tier. Thread-safe. */
final class BatchSizes implements IntConsumer {

    private final LongAdder batches = new LongAdder();
    private final LongAdder reads = new LongAdder();
    private final IntConsumer listener;

    /**
     * Nothing has been sent yet.
     *
     * @param listener is told of each size as well
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
