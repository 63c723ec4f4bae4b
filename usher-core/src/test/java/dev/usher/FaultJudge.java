package dev.usher;

import dev.usher.AvailabilityChecker.Outage;
import dev.usher.Change.Announcement;
import dev.usher.CoherenceChecker.Spread;
import dev.usher.FaultRun.Group;
import io.lettuce.core.api.sync.RedisCommands;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Checks the records of the nodes during one fault, and the entries that they have left in Redis. */
final class FaultJudge {

    private static final Duration DEADLINE_OF_REDIS = Duration.ofMillis(100);
    private static final Duration LONGEST_STALE = Duration.ofMinutes(5);
    private static final Pattern KEY = Pattern.compile("user:(\\d+):(profile|probe|status)");

    private final FaultRun run;
    private final Fault fault;
    private final Path directory;
    private final long from;
    private final long to;
    private final FaultVerdict verdict;

    /**
     * A judge of the records in a directory.
     *
     * @param from when the fault began
     * @param to when it was over
     * @param verdict gets the result
     */
    FaultJudge(FaultRun run, Fault fault, Path directory, long from, long to, FaultVerdict verdict) {
        this.run = run;
        this.fault = fault;
        this.directory = directory;
        this.from = from;
        this.to = to;
        this.verdict = verdict;
    }

    void judgeProfiles() {
        List<Change> changes = changes(FaultRun::changes, 1);
        CoherenceChecker coherence = new CoherenceChecker(run.bound(), Duration.ZERO, FaultRun.users(), changes);
        // An answer that is marked as stale may be old; all other rules hold for it as well.
        CoherenceChecker stale = new CoherenceChecker(LONGEST_STALE, Duration.ZERO, FaultRun.users(), changes);
        AvailabilityChecker availability = new AvailabilityChecker(Group.KNOWN::holds);
        for (int node = 0; node < run.nodes(); node++) {
            List<ReadLog> reads = logs(FaultRun::reads, node, FaultRun.PROFILE_READERS + 1);
            List<ReadLog> staleReads = logs(FaultRun::stale, node, FaultRun.PROFILE_READERS + 1);
            coherence.check(node, reads);
            coherence.checkLast(node, ReadLog.open(FaultRun.last(directory, node)));
            stale.check(node, staleReads);
            for (ReadLog log : reads) {
                availability.check(node, outagesOf(node), log);
            }
            for (ReadLog log : staleReads) {
                availability.checkStale(node, outagesOf(node), log);
            }
        }
        note(coherence.violations(), coherence.examples());
        note(stale.violations(), stale.examples());
        note(availability.violations(), availability.examples());
        verdict.reads += coherence.reads() + stale.reads();
        verdict.changes += changes.size();
        verdict.staleAnswers = stale.reads();
        verdict.oldest = coherence.oldest();
    }

    void judgeStatuses(FaultSite site) throws SQLException {
        List<Change> changes = changes(FaultRun::statusChanges, FaultRun.STATUS_WRITERS);
        RevocationChecker revocations = new RevocationChecker(changes);
        AvailabilityChecker availability = new AvailabilityChecker(id -> false);
        Map<Long, Integer> truth = versions(site, "statuses", FaultRun.STATUSES);
        for (int node = 0; node < run.nodes(); node++) {
            for (ReadLog log : logs(FaultRun::statusReads, node, FaultRun.STATUS_READERS)) {
                revocations.check(node, log);
                availability.check(node, outagesOf(node), log);
                verdict.reads += log.size();
            }
            ReadLog last = ReadLog.open(FaultRun.lastStatuses(directory, node));
            for (int row = 0; row < last.size(); row++) {
                String answer = Integer.toString(last.version(row));
                if (!isStatus(answer, truth.get((long) last.id(row)))) {
                    verdict.violation(
                            "OLD_STATUS_AT_THE_END", "node " + node + " answers " + answer + " for " + last.id(row));
                }
            }
        }
        if (revocations.letIn() > 0) {
            verdict.violation("LET_IN", revocations.letIn());
            revocations.examples().forEach(verdict::example);
        }
        note(availability.violations(), availability.examples());
        verdict.changes += changes.size();
        verdict.receipts = changes.size();
        verdict.receiptsConfirmed = changes.stream()
                .filter(change -> change.by() == Announcement.FENCE)
                .count();
    }

    /** Checks that all entries in Redis agree with the tables. */
    void judgeWhatIsStored(FaultSite site) throws SQLException {
        Map<Long, Integer> profiles = versions(site, "profiles", FaultRun.users());
        Map<Long, Integer> statuses = versions(site, "statuses", FaultRun.STATUSES);
        for (RedisCommands<String, String> redis : site.operators()) {
            judgeWhatIsStored(redis, profiles, statuses);
        }
    }

    private void judgeWhatIsStored(
            RedisCommands<String, String> redis, Map<Long, Integer> profiles, Map<Long, Integer> statuses) {
        for (String key : redis.keys("user:*")) {
            Matcher user = KEY.matcher(key);
            String value = user.matches() ? redis.get(key) : null;
            if (value != null) {
                long id = Long.parseLong(user.group(1));
                boolean isTrue = user.group(2).equals("status")
                        ? isStatus(value, statuses.get(id))
                        : isProfile(value, (int) id, profiles.get(id));
                if (!isTrue) {
                    verdict.violation("WRONG_IN_REDIS", key + " is " + value);
                }
            }
        }
    }

    private static boolean isStatus(String code, @Nullable Integer version) {
        UserStatus status =
                version != null && RevocationChecker.isEnabled(version) ? UserStatus.ENABLED : UserStatus.DISABLED;
        return code.equals(Integer.toString(status.code()));
    }

    private static boolean isProfile(String json, int id, @Nullable Integer version) {
        return version == null ? json.equals("null") : VersionTable.versionIn(id, json) == version;
    }

    private static Map<Long, Integer> versions(FaultSite site, String name, int users) throws SQLException {
        try (CountingTable table = new CountingTable(site.databaseUrl(), name, 0)) {
            return table.rows(LongStream.range(0, users).boxed().collect(Collectors.toSet()));
        }
    }

    /** The waits of the readers during the fault. */
    void measure() {
        LongStream.Builder latencies = LongStream.builder();
        for (int node = 0; node < run.nodes(); node++) {
            List<ReadLog> all = new ArrayList<>(logs(FaultRun::reads, node, FaultRun.PROFILE_READERS));
            all.addAll(logs(FaultRun::stale, node, FaultRun.PROFILE_READERS));
            all.addAll(logs(FaultRun::statusReads, node, FaultRun.STATUS_READERS));
            for (ReadLog log : all) {
                for (int row = 0; row < log.size(); row++) {
                    if (from <= log.asked(row) && log.asked(row) <= to) {
                        latencies.add(log.answered(row) - log.asked(row));
                    }
                }
            }
        }
        long[] nanos = latencies.build().toArray();
        Spread spread = Spread.of(nanos);
        verdict.p99 = spread.p99();
        verdict.longest = spread.longest();
        verdict.paid = LongStream.of(nanos)
                .filter(took -> took >= DEADLINE_OF_REDIS.toNanos())
                .count();
    }

    private List<Outage> outagesOf(int node) {
        boolean suffers = fault.takesDatabase() && (node > 0 || fault != Fault.BOTH_CUT_OFF);
        return suffers ? List.of(new Outage(from, to)) : List.of();
    }

    private void note(Map<? extends Enum<?>, Long> violations, List<? extends Record> examples) {
        violations.forEach((rule, times) -> verdict.violation(rule.name(), times));
        examples.forEach(verdict::example);
    }

    /** The file with the records of one thread of a node. */
    @FunctionalInterface
    private interface LogFile {
        Path of(Path directory, int node, int thread);
    }

    private Stream<Path> files(LogFile file, int node, int threads) {
        return IntStream.range(0, threads).mapToObj(thread -> file.of(directory, node, thread));
    }

    private List<ReadLog> logs(LogFile file, int node, int threads) {
        return files(file, node, threads).map(ReadLog::open).toList();
    }

    private List<Change> changes(LogFile file, int threads) {
        return IntStream.range(0, run.nodes())
                .boxed()
                .flatMap(node -> files(file, node, threads))
                .flatMap(log -> Change.Log.read(log).stream())
                .map(change ->
                        isForgotten(change) ? change.announcedLate(to + FaultTrial.LONGEST_RECOVERY.toNanos()) : change)
                .toList();
    }

    /** Whether Redis has lost confirmed data: its announcements have to be repeated when it is back. */
    private boolean isForgotten(Change change) {
        return fault == Fault.REDIS_BACK_IN_TIME && from < change.announced() && change.announced() < to;
    }
}
