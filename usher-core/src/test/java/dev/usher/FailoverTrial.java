package dev.usher;

import dev.usher.CoherenceChecker.Rule;
import dev.usher.CoherenceChecker.Spread;
import dev.usher.FailoverRun.Records;
import dev.usher.FailoverSite.BansToConfirm;
import dev.usher.RevocationReceipt.Grade;
import dev.usher.testkit.PostgresServer;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** One failover under load: nodes that read and change, then the failover, and at last a check of all that the nodes have recorded. */
final class FailoverTrial implements AutoCloseable {

    private static final Duration LONGEST_RECOVERY = Duration.ofSeconds(15);

    /** Further than any run lasts. */
    private static final long NEVER = Long.MAX_VALUE / 2;

    private final FailoverRun run;
    private final FailoverCase what;
    private final Map<Integer, String> out;
    private final Path directory;
    private final FailoverVerdict verdict;
    private final FailoverSite site;

    /**
     * A failover.
     *
     * @param out by node, the name of a rule that is taken out there
     */
    FailoverTrial(FailoverRun run, FailoverCase what, Map<Integer, String> out, PostgresServer database, Path directory)
            throws SQLException {
        this.run = run;
        this.what = what;
        this.out = out;
        this.directory = directory;
        this.verdict = new FailoverVerdict(what);
        this.site = new FailoverSite(run, what.servers(), database);
    }

    FailoverVerdict verdict() throws Exception {
        site.startNodes(directory, out);
        site.askAll("begin");
        letPass(run.before());
        long from = System.nanoTime();
        long coherentAt = happen(from);
        for (String unsent : site.askAll("quiet")) {
            verdict.unsent += Long.parseLong(unsent);
        }
        countUnavailable();
        boolean settles = what.settles() && out.isEmpty();
        if (settles) {
            letPass(run.quiet());
            site.askAll("readLast");
        }
        judge(settles);
        measure(from, coherentAt);
        return verdict;
    }

    /** Has it happen, under load. Returns when all nodes were coherent again, where that is looked for. */
    private long happen(long from) throws InterruptedException {
        QueryCap queries = FailoverRun.queries(directory);
        long queriesBefore = queries.count();
        long since = what.happen(site);
        if (!what.isFenced()) {
            // A node that stays with the old primary learns of nothing before it has moved as well.
            letPass(run.after());
            since = System.nanoTime();
            what.end(site);
        }
        long coherentAt = out.isEmpty() ? awaitCoherence(since) : System.nanoTime();
        verdict.queries = queries.count() - queriesBefore;
        verdict.seconds = (coherentAt - from) / 1e9;
        if (what.isFenced()) {
            letPass(what.lasts(run, Duration.ofNanos(System.nanoTime() - from)));
            what.end(site);
        }
        if (what.settles()) {
            letPass(run.before());
        }
        return coherentAt;
    }

    private void countUnavailable() {
        for (String reasons : site.askAll("unavailable")) {
            for (String reason : reasons.split(";")) {
                if (!reason.isEmpty()) {
                    int at = reason.lastIndexOf('=');
                    verdict.unavailable.merge(
                            reason.substring(0, at), Long.parseLong(reason.substring(at + 1)), Long::sum);
                }
            }
        }
    }

    /** Waits until all nodes have a change from after a moment in memory. */
    private long awaitCoherence(long moment) {
        site.nodes().get(0).ask("changeProbes");
        long profiles = 0;
        long gates = 0;
        for (String opened :
                site.askAll("awaitProbes " + (what.replaces() ? "new " : "any ") + LONGEST_RECOVERY.toSeconds())) {
            String[] at = opened.split(" ");
            profiles = later(profiles, Long.parseLong(at[0]), moment);
            gates = later(gates, Long.parseLong(at[1]), moment);
        }
        verdict.profilesOpen = Duration.ofNanos(profiles);
        verdict.gateOpen = Duration.ofNanos(gates);
        return moment + Math.max(profiles, gates);
    }

    private static long later(long longest, long at, long moment) {
        return Math.max(longest, at < 0 ? LONGEST_RECOVERY.toNanos() : at - moment);
    }

    private void judge(boolean settles) {
        List<Change> gateChanges = changes(Records.GATE_CHANGES);
        List<Change> profileChanges = changes(Records.PROFILE_CHANGES);
        CoherenceChecker gates = checker(run.gates(), gateChanges);
        CoherenceChecker profiles = checker(run.profiles(), profileChanges);
        List<List<ReadLog>> gateReads = IntStream.range(0, FailoverRun.NODES)
                .mapToObj(node -> logs(Records.GATE_READS, node))
                .toList();
        for (int node = 0; node < FailoverRun.NODES; node++) {
            gates.check(node, gateReads.get(node));
            profiles.check(node, logs(Records.PROFILE_READS, node));
            if (settles && run.isSettled(run.gates())) {
                gates.checkLast(node, ReadLog.open(Records.LAST_GATES.of(directory, node)));
            }
            if (settles && run.isSettled(run.profiles())) {
                profiles.checkLast(node, ReadLog.open(Records.LAST_PROFILES.of(directory, node)));
            }
        }
        gates.violations().forEach((rule, times) -> verdict.gateViolations.merge(rule.name(), times, Long::sum));
        profiles.violations().forEach((rule, times) -> verdict.profileViolations.merge(rule.name(), times, Long::sum));
        gates.examples().forEach(verdict::example);
        profiles.examples().forEach(verdict::example);
        verdict.reads = gates.reads() + profiles.reads();
        verdict.changes = (long) gateChanges.size() + profileChanges.size();
        verdict.longestLetIn = gates.visibility(change -> true).longest();
        judgeReceipts(gateChanges, gateReads);
    }

    private CoherenceChecker checker(Facet<UserProfile> facet, List<Change> changes) {
        return new CoherenceChecker(facet.policy().stalenessBound(), Duration.ZERO, run.users(), changes);
    }

    /** After a receipt of a grade, no answer may be older than the change that it is for. */
    private void judgeReceipts(List<Change> changes, List<List<ReadLog>> reads) {
        List<FailoverReceipt> receipts = IntStream.range(0, FailoverRun.NODES)
                .mapToObj(node -> FailoverReceipt.Log.read(Records.RECEIPTS.of(directory, node)))
                .flatMap(List::stream)
                .toList();
        for (FailoverReceipt receipt : receipts) {
            verdict.receipts.merge(receipt.grade(), 1L, Long::sum);
            if (receipt.reason() != null) {
                verdict.reasons.merge(receipt.reason().name(), 1L, Long::sum);
            }
        }
        BansToConfirm toConfirm = site.toConfirm();
        if (toConfirm != null) {
            receipts.stream()
                    .filter(receipt -> toConfirm.users().contains(receipt.id())
                            && receipt.askedAt() - toConfirm.from() > 0
                            && receipt.returnedAt() - toConfirm.to() < 0)
                    .forEach(verdict.duringReshard::add);
        }
        for (Grade grade : Grade.values()) {
            Map<Long, FailoverReceipt> graded = receipts.stream()
                    .filter(receipt -> receipt.grade() == grade)
                    .collect(Collectors.toMap(receipt -> key(receipt.id(), receipt.version()), Function.identity()));
            CoherenceChecker checker = new CoherenceChecker(
                    Duration.ZERO,
                    Duration.ZERO,
                    run.users(),
                    changes.stream()
                            .map(change -> {
                                FailoverReceipt receipt = graded.get(key(change.id(), change.version()));
                                return change.announcedLate(receipt == null ? NEVER : receipt.returnedAt());
                            })
                            .toList());
            for (int node = 0; node < FailoverRun.NODES; node++) {
                checker.check(node, reads.get(node));
            }
            verdict.broken.put(grade, checker.violations().getOrDefault(Rule.STALE, 0L));
            checker.examples().stream()
                    .filter(example -> example.rule() == Rule.STALE)
                    .forEach(example -> verdict.example("past a receipt that is " + grade + ": " + example));
        }
    }

    private static long key(int id, int version) {
        return (long) id << Integer.SIZE | version;
    }

    private void measure(long from, long to) {
        LongStream.Builder times = LongStream.builder();
        for (int node = 0; node < FailoverRun.NODES; node++) {
            for (ReadLog calls : logs(Records.CALLS, node)) {
                for (int row = 0; row < calls.size(); row++) {
                    if (from <= calls.asked(row) && calls.asked(row) <= to) {
                        times.add(calls.answered(row) - calls.asked(row));
                    }
                    if (calls.version(row) == ReadLog.UNAVAILABLE || calls.version(row) == FailoverNode.STALE) {
                        verdict.failed++;
                    }
                }
            }
        }
        verdict.times = Spread.of(times.build().toArray());
    }

    private List<Change> changes(Records records) {
        return IntStream.range(0, FailoverRun.NODES)
                .mapToObj(node -> Change.Log.read(records.of(directory, node)))
                .flatMap(List::stream)
                .toList();
    }

    private List<ReadLog> logs(Records records, int node) {
        return IntStream.rangeClosed(0, run.readers())
                .mapToObj(reader -> ReadLog.open(records.of(directory, node, reader)))
                .toList();
    }

    private static void letPass(Duration duration) throws InterruptedException {
        if (new CountDownLatch(1).await(duration.toNanos(), TimeUnit.NANOSECONDS)) {
            throw new IllegalStateException("the latch is never counted down");
        }
    }

    @Override
    public void close() {
        site.close();
    }
}
