package dev.usher;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A source whose queries can be held back between their read and their answer. */
final class Table implements UserSource<Long, UserProfile> {

    final AtomicInteger queries = new AtomicInteger();

    /** The ids of each query. */
    final List<Set<Long>> asked = new CopyOnWriteArrayList<>();

    final CountDownLatch gate = new CountDownLatch(1);
    volatile @Nullable RuntimeException failure;

    private final Map<Long, UserProfile> rows = new ConcurrentHashMap<>();
    private volatile boolean holding;

    void put(long id, UserProfile profile) {
        rows.put(id, profile);
    }

    void holdBackAfterReading() {
        holding = true;
    }

    void letOthersThrough() {
        holding = false;
    }

    @Override
    public Map<Long, UserProfile> load(Set<Long> ids) throws InterruptedException {
        Map<Long, UserProfile> read = new HashMap<>();
        for (Long id : ids) {
            UserProfile row = rows.get(id);
            if (row != null) {
                read.put(id, row);
            }
        }
        asked.add(Set.copyOf(ids));
        queries.incrementAndGet();
        if (holding) {
            gate.await();
        }
        RuntimeException toThrow = failure;
        if (toThrow != null) {
            throw toThrow;
        }
        return read;
    }
}
