package dev.usher;

import dev.usher.FailoverRun.Records;
import dev.usher.RevocationReceipt.Grade;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Changes the users of one node, in one facet, and announces each change as a ban, or as any other change: those of the gate as the one or the other, by user. */
final class FailoverWriter extends FaultWriter {

    private static final Duration MEAN_PAUSE = Duration.ofMillis(100);

    private final CountingTable table;
    private final UserCache<Long, UserProfile> cache;
    private final Announcer announcer;
    private final List<Integer> own = new ArrayList<>();

    /** Announces a change that has been committed. */
    @FunctionalInterface
    private interface Announcer {

        /** Whether Redis has confirmed the announcement, and it need not be sent again. */
        boolean announce(int id, int version);
    }

    private FailoverWriter(
            int node, Path log, CountingTable table, UserCache<Long, UserProfile> cache, Announcer announcer) {
        super(node, log, MEAN_PAUSE);
        this.table = table;
        this.cache = cache;
        this.announcer = announcer;
        for (int id = node; id < FailoverRun.CHANGED; id += FailoverRun.NODES) {
            own.add(id);
        }
    }

    static FailoverWriter ofProfiles(
            int node, Path directory, CountingTable table, UserCache<Long, UserProfile> profiles) {
        return new FailoverWriter(
                node,
                Records.PROFILE_CHANGES.of(directory, node),
                table,
                profiles,
                (id, version) -> profiles.invalidate((long) id));
    }

    static FailoverWriter ofGates(int node, Path directory, CountingTable table, UserCache<Long, UserProfile> gates) {
        FailoverReceipt.Log receipts = FailoverReceipt.Log.create(Records.RECEIPTS.of(directory, node));
        return new FailoverWriter(node, Records.GATE_CHANGES.of(directory, node), table, gates, (id, version) -> {
            if (!FailoverRun.isBanned(id)) {
                return gates.invalidate((long) id);
            }
            RevocationReceipt receipt = gates.revoke((long) id);
            receipts.add(id, version, receipt);
            return receipt.grade() != Grade.UNCONFIRMED;
        });
    }

    @Override
    void writeOnce() {
        change(own.get(random.nextInt(own.size())));
    }

    /** Changes a user. */
    void change(int id) {
        int version = next(id);
        long commitStarted = System.nanoTime();
        raise(table, id, version);
        long commitDone = System.nanoTime();
        record(id, version, commitStarted, commitDone, announcer.announce(id, version));
    }

    @Override
    boolean isAllSent() {
        return cache.stats().pendingFences() == 0;
    }

    @Override
    long settledAt(long announced) {
        return announced;
    }
}
