package dev.usher;

import dev.usher.FailoverRun.Records;
import dev.usher.RevocationReceipt.Grade;
import dev.usher.redis.Session;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * One node of a failover, in a process of its own: threads that read at a given rate, however long each answer takes, and two that change users. Each
 * records what it did. It gets commands as lines, and answers each with a line.
 */
final class FailoverNode implements AutoCloseable {

    /** The answer was the last known one, and marked as such. */
    static final int STALE = -3;

    private static final int CAPACITY = 1 << 14;
    private static final int LIST = 500;
    private static final Duration LONGEST_REHEARSAL = Duration.ofSeconds(60);
    private static final Duration LOOK = Duration.ofMillis(50);

    private final FailoverRun run;
    private final int node;
    private final Path directory;
    private final QueryCap cap;
    private final CountingTable profileTable;
    private final CountingTable gateTable;
    private final UserCaches caches;
    private final UserCache<Long, UserProfile> profiles;
    private final UserCache<Long, UserProfile> gates;
    private final UserCache<Long, UserProfile> profileProbes;
    private final UserCache<Long, UserProfile> gateProbes;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<Future<?>> working = new ArrayList<>();
    private final FailoverWriter profileWriter;
    private final FailoverWriter gateWriter;

    /** The number of calls without an answer, by the message of the exception. */
    private final ConcurrentMap<String, Long> unavailable = new ConcurrentHashMap<>();

    private long profileProbe;
    private long gateProbe;
    private List<@Nullable Session> sessionsBefore = List.of();
    private @Nullable Reader onDemand;
    private volatile boolean quiet;

    FailoverNode(FailoverRun run, int node, String redis, String database, Path directory) {
        this.run = run;
        this.node = node;
        this.directory = directory;
        this.cap = FailoverRun.queries(directory);
        this.profileTable = new CountingTable(database, "profiles", 0);
        this.gateTable = new CountingTable(database, "gates", 0);
        this.caches = UserCaches.builder().redis(redis).build();
        this.profiles = caches.cache(run.profiles(), Long.class, ids -> load(profileTable, ids));
        this.gates = caches.cache(run.gates(), Long.class, ids -> load(gateTable, ids));
        this.profileProbes = caches.cache(run.profileProbes(), Long.class, ids -> load(profileTable, ids));
        this.gateProbes = caches.cache(run.gateProbes(), Long.class, ids -> load(gateTable, ids));
        this.profileWriter = FailoverWriter.ofProfiles(node, directory, profileTable, profiles);
        this.gateWriter = FailoverWriter.ofGates(node, directory, gateTable, gates);
    }

    private Map<Long, UserProfile> load(CountingTable table, Set<Long> ids) throws Exception {
        cap.awaitTurn();
        return FaultNode.profilesIn(table.rows(ids));
    }

    /**
     * Executes a command.
     *
     * <dl>
     *   <dt>{@code clock}
     *   <dd>answers the time of this process
     *   <dt>{@code warm}
     *   <dd>has all users in memory
     *   <dt>{@code awaitConfirmed}
     *   <dd>bans a user without changing it, until a receipt is confirmed: this node has then known the servers for long enough
     *   <dt>{@code begin}
     *   <dd>begins to read and to change
     *   <dt>{@code probes} and two users
     *   <dd>the probes of profiles and of the gate, and the sessions that they are in now
     *   <dt>{@code changeProbes}
     *   <dd>changes the probe of each facet
     *   <dt>{@code awaitProbes}, {@code new} or {@code any}, and a number of seconds
     *   <dd>answers when this node had the changed probe in memory, of another session than before or of any, in the facet of profiles and in that of
     *       the gate, or -1 where that takes longer
     *   <dt>{@code readChanged}
     *   <dd>reads every changed user once, beside the other threads
     *   <dt>{@code quiet}
     *   <dd>ends reading and changing, and answers the number of changes that could not be announced
     *   <dt>{@code banLast}
     *   <dd>bans the users that are banned in the last moments of a primary; after {@code quiet}
     *   <dt>{@code readLast}
     *   <dd>reads every changed user once
     *   <dt>{@code unavailable}
     *   <dd>answers the reasons of calls without an answer, and their numbers
     * </dl>
     */
    private String obey(String line) throws Exception {
        String[] words = line.split(" ");
        return switch (words[0]) {
            case "clock" -> Long.toString(System.nanoTime());
            case "warm" -> warm();
            case "awaitConfirmed" -> awaitConfirmed();
            case "begin" -> begin();
            case "probes" -> probes(Long.parseLong(words[1]), Long.parseLong(words[2]));
            case "changeProbes" -> changeProbes();
            case "awaitProbes" -> awaitProbes(words[1].equals("new"), Duration.ofSeconds(Long.parseLong(words[2])));
            case "readChanged" -> readChanged();
            case "quiet" -> quiet();
            case "banLast" -> banLast();
            case "readLast" -> readLast();
            case "unavailable" ->
                unavailable.entrySet().stream()
                        .map(reason -> reason.getKey() + "=" + reason.getValue())
                        .collect(Collectors.joining(";"));
            default -> throw new IllegalArgumentException(line);
        };
    }

    private String warm() {
        List.of(profiles, gates).forEach(cache -> warm(cache, 0, run.users()));
        List.of(profileProbes, gateProbes).forEach(cache -> warm(cache, run.firstProbe(), run.allUsers()));
        return "warm";
    }

    private static void warm(UserCache<Long, UserProfile> cache, int first, int end) {
        for (int from = first; from < end; from += LIST) {
            List<Long> ids =
                    LongStream.range(from, Math.min(end, from + LIST)).boxed().toList();
            // Twice: what has been loaded is in memory when it has been read back.
            cache.findAll(ids);
            cache.findAll(ids);
        }
    }

    private String awaitConfirmed() {
        long givesUpAt = System.nanoTime() + LONGEST_REHEARSAL.toNanos();
        RevocationReceipt receipt = gateProbes.revoke((long) run.rehearsed());
        while (receipt.grade() != Grade.CONFIRMED) {
            if (System.nanoTime() - givesUpAt > 0) {
                throw new IllegalStateException("no ban is confirmed: " + receipt);
            }
            receipt = gateProbes.revoke((long) run.rehearsed());
        }
        return "confirmed";
    }

    private String probes(long profile, long gate) {
        profileProbe = profile;
        gateProbe = gate;
        sessionsBefore = sessions();
        return "known";
    }

    private List<@Nullable Session> sessions() {
        List<@Nullable Session> sessions = new ArrayList<>();
        sessions.add(caches.engine().shared().session(profileProbes.keyOf(profileProbe)));
        sessions.add(caches.engine().shared().session(gateProbes.keyOf(gateProbe)));
        return sessions;
    }

    private String begin() {
        long began = System.nanoTime();
        long interval = Duration.ofSeconds(run.readers()).toNanos() / run.readsPerSecond();
        for (int reader = 0; reader < run.readers(); reader++) {
            Reader one = new Reader(reader);
            long first = began + reader * interval / run.readers();
            working.add(threads.submit(() -> one.read(first, interval)));
        }
        onDemand = new Reader(run.readers());
        working.add(threads.submit(profileWriter::write));
        working.add(threads.submit(gateWriter::write));
        return "reading";
    }

    /** A thread that reads, and its records. */
    private final class Reader {

        private final SplittableRandom random = new SplittableRandom();
        private final ReadLog gateReads;
        private final ReadLog profileReads;
        private final ReadLog calls;

        private Reader(int reader) {
            this.gateReads = ReadLog.create(Records.GATE_READS.of(directory, node, reader), CAPACITY);
            this.profileReads = ReadLog.create(Records.PROFILE_READS.of(directory, node, reader), CAPACITY);
            this.calls = ReadLog.create(Records.CALLS.of(directory, node, reader), CAPACITY);
        }

        /** Reads at given moments; a read that is late because those before it were counts from the moment at which it was due. */
        private void read(long first, long interval) {
            for (long due = first; !quiet; due += interval) {
                for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
                    LockSupport.parkNanos(left);
                }
                int id = random.nextInt(FailoverRun.READS_OF_CHANGED) == 0
                        ? random.nextInt(FailoverRun.CHANGED + FailoverRun.BANNED_LAST)
                        : random.nextInt(run.users());
                int version = random.nextBoolean()
                        ? FailoverNode.this.read(gates, gateReads, id)
                        : FailoverNode.this.read(profiles, profileReads, id);
                calls.add(due, System.nanoTime(), id, version);
            }
        }
    }

    private int read(UserCache<Long, UserProfile> cache, ReadLog log, int id) {
        long asked = System.nanoTime();
        try {
            Lookup<UserProfile> answer = cache.lookUp((long) id);
            int version = VersionTable.versionOf(id, answer.value());
            if (answer.isStale()) {
                return STALE;
            }
            log.add(asked, System.nanoTime(), id, version);
            return version;
        } catch (UserUnavailableException e) {
            log.add(asked, System.nanoTime(), id, ReadLog.UNAVAILABLE);
            FaultNode.note(e, unavailable);
            return ReadLog.UNAVAILABLE;
        }
    }

    private String changeProbes() {
        FaultWriter.raise(profileTable, (int) profileProbe, 1);
        FaultWriter.raise(gateTable, (int) gateProbe, 1);
        profileProbes.invalidate(profileProbe);
        gateProbes.invalidate(gateProbe);
        return "changed";
    }

    private String awaitProbes(boolean areOfOtherSessions, Duration atMost) {
        long givesUpAt = System.nanoTime() + atMost.toNanos();
        long profile = -1;
        long gate = -1;
        while ((profile < 0 || gate < 0) && System.nanoTime() - givesUpAt < 0) {
            List<@Nullable Session> now = sessions();
            boolean mayProfile = !areOfOtherSessions || !Objects.equals(now.get(0), sessionsBefore.get(0));
            boolean mayGate = !areOfOtherSessions || !Objects.equals(now.get(1), sessionsBefore.get(1));
            profile = profile < 0 && mayProfile && has(profileProbes, profileProbe) ? System.nanoTime() : profile;
            gate = gate < 0 && mayGate && has(gateProbes, gateProbe) ? System.nanoTime() : gate;
            FaultNode.pause(LOOK);
        }
        return profile + " " + gate;
    }

    /** Whether a changed probe is in memory, or could not be read before and is there now. */
    private static boolean has(UserCache<Long, UserProfile> cache, long probe) {
        try {
            boolean isOpen = cache.stats().nearOpen();
            long hits = cache.stats().nearHits();
            int version = VersionTable.versionOf((int) probe, cache.find(probe));
            return isOpen && cache.stats().nearHits() > hits && version == 1;
        } catch (UserUnavailableException e) {
            return false;
        }
    }

    private String quiet() throws ExecutionException, InterruptedException {
        quiet = true;
        profileWriter.quiet();
        gateWriter.quiet();
        for (Future<?> work : working) {
            work.get();
        }
        return Integer.toString(profileWriter.unsent() + gateWriter.unsent());
    }

    private String readChanged() {
        Reader reader = Objects.requireNonNull(onDemand);
        for (int id = 0; id < FailoverRun.CHANGED; id++) {
            read(gates, reader.gateReads, id);
            read(profiles, reader.profileReads, id);
        }
        return "read";
    }

    private String banLast() {
        for (int i = 0; i < FailoverRun.BANNED_LAST; i++) {
            gateWriter.change(FailoverRun.CHANGED + i);
        }
        gateWriter.recordUnconfirmed();
        return "banned";
    }

    private String readLast() {
        ReadLog lastGates = ReadLog.create(Records.LAST_GATES.of(directory, node), CAPACITY);
        ReadLog lastProfiles = ReadLog.create(Records.LAST_PROFILES.of(directory, node), CAPACITY);
        for (int id = 0; id < FailoverRun.CHANGED; id++) {
            read(gates, lastGates, id);
            read(profiles, lastProfiles, id);
        }
        return "read";
    }

    @Override
    public void close() {
        threads.shutdownNow();
        caches.close();
        profileTable.close();
        gateTable.close();
    }

    /** Arguments: the node's number, the URI of Redis, the URL of the database, a directory, and the run. */
    public static void main(String[] args) throws Exception {
        List<String> arguments = List.of(args);
        try (FailoverNode node = new FailoverNode(
                FailoverRun.parse(arguments.subList(4, arguments.size())),
                Integer.parseInt(arguments.get(0)),
                arguments.get(1),
                arguments.get(2),
                Path.of(arguments.get(3)))) {
            JavaProcess.answerLines(node::obey);
        }
    }
}
