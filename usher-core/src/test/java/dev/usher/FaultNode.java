package dev.usher;

import dev.usher.FaultRun.Group;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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

/**
 * One node of a fault run: threads that read profiles and statuses, and some that change them, each of which records its actions. It
 * gets commands as lines, and answers each when it is done: in this process, or on its standard input as a process of its own.
 */
final class FaultNode implements AutoCloseable {

    private static final int CAPACITY = 1 << 18;

    /** How many users are in a list that is read at once. */
    private static final int LIST = 8;

    private static final Duration MEAN_PAUSE_OF_READERS = Duration.ofMillis(4);
    static final Duration LONGEST_RECOVERY = Duration.ofSeconds(15);

    private final FaultRun run;
    private final int node;
    private final Path directory;
    private final CountingTable profileTable;
    private final CountingTable statusTable;
    private final CountingTable probeTable;
    private final UserCaches caches;
    private final UserCache<Long, UserProfile> profiles;
    private final UserCache<Long, UserProfile> probes;
    private final UserStatusCache<Long> statuses;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<FaultWriter> writers = new ArrayList<>();
    private final List<Future<?>> working = new ArrayList<>();

    /** The number of calls without an answer, by the message of the exception. */
    private final ConcurrentMap<String, Long> unavailable = new ConcurrentHashMap<>();

    private volatile boolean quiet;

    FaultNode(FaultRun run, int node, String redis, String database, Path directory) {
        this.run = run;
        this.node = node;
        this.directory = directory;
        // The facets of a node share its connections, but their queries are counted apart.
        this.profileTable = new CountingTable(database, "profiles", node * 3);
        this.statusTable = new CountingTable(database, "statuses", node * 3 + 1);
        this.probeTable = new CountingTable(database, "profiles", node * 3 + 2);
        this.caches = UserCaches.builder().redis(redis).build();
        this.profiles = caches.cache(run.profiles(), Long.class, ids -> profilesIn(profileTable.versions(ids)));
        this.probes = caches.cache(run.probes(), Long.class, ids -> profilesIn(probeTable.versions(ids)));
        this.statuses = new UserStatusCache<>(
                caches.cache(run.statuses(), Long.class, ids -> statusesIn(statusTable.versions(ids))));
    }

    static Map<Long, UserProfile> profilesIn(Map<Long, Integer> versions) {
        Map<Long, UserProfile> users = new HashMap<>();
        versions.forEach((id, version) -> users.put(id, VersionTable.profile(id, version)));
        return users;
    }

    private static Map<Long, UserStatus> statusesIn(Map<Long, Integer> versions) {
        Map<Long, UserStatus> users = new HashMap<>();
        versions.forEach((id, version) ->
                users.put(id, RevocationChecker.isEnabled(version) ? UserStatus.ENABLED : UserStatus.DISABLED));
        return users;
    }

    /**
     * Executes a command.
     *
     * <dl>
     *   <dt>{@code clock}
     *   <dd>answers the time of this process
     *   <dt>{@code begin lists} or {@code begin singles}
     *   <dd>begins to read and to change, also lists of users, or only single users
     *   <dt>{@code changeProbe} and a version
     *   <dd>changes the probe, and answers the time of the commit
     *   <dt>{@code awaitProbe} and a version
     *   <dd>answers the time at which it received pushes again and had this version in memory, or -1 if that takes too long
     *   <dt>{@code quiet}
     *   <dd>ends reading and changing, and answers the number of changes that could not be announced
     *   <dt>{@code readLast}
     *   <dd>reads every changed user once
     *   <dt>{@code maxQueries}
     *   <dd>answers the largest number of concurrent queries of one facet
     *   <dt>{@code unavailable}
     *   <dd>answers the reasons of calls without an answer, and their numbers
     * </dl>
     */
    String obey(String line) throws ExecutionException, InterruptedException {
        String[] words = line.split(" ");
        return switch (words[0]) {
            case "clock" -> Long.toString(System.nanoTime());
            case "begin" -> begin(words[1].equals("lists"));
            case "changeProbe" -> changeProbe(Integer.parseInt(words[1]));
            case "awaitProbe" -> Long.toString(awaitProbe(Integer.parseInt(words[1])));
            case "quiet" -> quiet();
            case "readLast" -> readLast();
            case "maxQueries" -> Integer.toString(maxQueries());
            case "unavailable" ->
                unavailable.entrySet().stream()
                        .map(reason -> reason.getKey() + "=" + reason.getValue())
                        .collect(Collectors.joining(";"));
            default -> throw new IllegalArgumentException(line);
        };
    }

    private String begin(boolean lists) {
        probes.find((long) FaultRun.PROBE);
        profiles.findAll(idsBetween(Group.CHANGED.first(), Group.ABSENT.end()));
        statuses.findAll(idsBetween(0, FaultRun.STATUSES));
        remember(idsBetween(Group.KNOWN.first(), Group.KNOWN.end()));
        for (int reader = 0; reader < FaultRun.PROFILE_READERS; reader++) {
            ReadLog log = ReadLog.create(FaultRun.reads(directory, node, reader), CAPACITY);
            ReadLog stale = ReadLog.create(FaultRun.stale(directory, node, reader), CAPACITY);
            // Some readers ask for known users only: a reader that waits for a frozen database makes no other calls.
            boolean unknownToo = reader < FaultRun.PROFILE_READERS / 2;
            working.add(threads.submit(() -> readProfiles(log, stale, lists, unknownToo)));
        }
        for (int reader = 0; reader < FaultRun.STATUS_READERS; reader++) {
            ReadLog log = ReadLog.create(FaultRun.statusReads(directory, node, reader), CAPACITY);
            working.add(threads.submit(() -> readStatuses(log)));
        }
        // The thread that changes a profile reads it as well.
        ReadLog log = ReadLog.create(FaultRun.reads(directory, node, FaultRun.PROFILE_READERS), CAPACITY);
        ReadLog stale = ReadLog.create(FaultRun.stale(directory, node, FaultRun.PROFILE_READERS), CAPACITY);
        writers.add(
                new FaultWriter.OfProfiles(run, node, directory, profileTable, profiles, id -> read(log, stale, id)));
        for (int writer = 0; writer < FaultRun.STATUS_WRITERS; writer++) {
            writers.add(new FaultWriter.OfStatuses(run, node, writer, directory, statusTable, statuses));
        }
        writers.forEach(writer -> working.add(threads.submit(writer::write)));
        return "reading";
    }

    /** Reads until memory answers for all: fills of other nodes invalidate them meanwhile. */
    private void remember(List<Long> ids) {
        long hits;
        do {
            hits = profiles.stats().nearHits();
            profiles.findAll(ids);
        } while (profiles.stats().nearHits() - hits < ids.size());
    }

    private static List<Long> idsBetween(int from, int to) {
        return LongStream.range(from, to).boxed().toList();
    }

    private String quiet() throws ExecutionException, InterruptedException {
        quiet = true;
        writers.forEach(FaultWriter::quiet);
        for (Future<?> work : working) {
            work.get();
        }
        return Integer.toString(writers.stream().mapToInt(FaultWriter::unsent).sum());
    }

    private String readLast() {
        ReadLog last = ReadLog.create(FaultRun.last(directory, node), FaultRun.users());
        for (int id = Group.CHANGED.first(); id < Group.ABSENT.end(); id++) {
            read(last, last, id);
        }
        ReadLog lastStatuses = ReadLog.create(FaultRun.lastStatuses(directory, node), FaultRun.STATUSES);
        for (int id = 0; id < FaultRun.STATUSES; id++) {
            readStatus(lastStatuses, id);
        }
        return "read";
    }

    private String changeProbe(int version) {
        FaultWriter.raise(probeTable, FaultRun.PROBE, version);
        long committedAt = System.nanoTime();
        probes.invalidate((long) FaultRun.PROBE);
        return Long.toString(committedAt);
    }

    private long awaitProbe(int version) {
        long givesUpAt = System.nanoTime() + LONGEST_RECOVERY.toNanos();
        while (System.nanoTime() - givesUpAt < 0) {
            try {
                // In this order: answers from an untracked session are dropped when tracking begins.
                boolean hearing = probes.stats().nearOpen();
                long hits = probes.stats().nearHits();
                int answered = VersionTable.versionOf(FaultRun.PROBE, probes.find((long) FaultRun.PROBE));
                if (hearing && probes.stats().nearHits() > hits && answered == version) {
                    return System.nanoTime();
                }
            } catch (UserUnavailableException e) {
                // The node has not recovered yet.
            }
            pause(MEAN_PAUSE_OF_READERS);
        }
        return -1;
    }

    private int maxQueries() {
        return Math.max(profileTable.maxAtOnce(), Math.max(statusTable.maxAtOnce(), probeTable.maxAtOnce()));
    }

    @Override
    public void close() {
        threads.shutdownNow();
        caches.close();
        profileTable.close();
        statusTable.close();
        probeTable.close();
    }

    private void readProfiles(ReadLog log, ReadLog stale, boolean lists, boolean unknownToo) {
        SplittableRandom random = new SplittableRandom();
        while (!quiet) {
            pauseAbout(MEAN_PAUSE_OF_READERS, random);
            Group group = Group.any(random, unknownToo);
            if (lists && random.nextInt(10) == 0) {
                readAll(log, group, random);
            } else {
                read(log, stale, group.pick(random));
            }
        }
    }

    private void readAll(ReadLog log, Group group, SplittableRandom random) {
        List<Long> ids = random.ints(LIST, group.first(), group.end())
                .distinct()
                .asLongStream()
                .boxed()
                .toList();
        long asked = System.nanoTime();
        try {
            Map<Long, UserProfile> answer = profiles.findAll(ids);
            long answered = System.nanoTime();
            ids.forEach(
                    id -> log.add(asked, answered, id.intValue(), versionOf(id, Optional.ofNullable(answer.get(id)))));
        } catch (UserUnavailableException e) {
            long answered = System.nanoTime();
            ids.forEach(id -> log.add(asked, answered, id.intValue(), ReadLog.UNAVAILABLE));
            note(e, unavailable);
        }
    }

    private void read(ReadLog log, ReadLog stale, int id) {
        long asked = System.nanoTime();
        try {
            Lookup<UserProfile> answer = profiles.lookUp((long) id);
            (answer.isStale() ? stale : log).add(asked, System.nanoTime(), id, versionOf(id, answer.value()));
        } catch (UserUnavailableException e) {
            log.add(asked, System.nanoTime(), id, ReadLog.UNAVAILABLE);
            note(e, unavailable);
        }
    }

    private static int versionOf(long id, Optional<UserProfile> profile) {
        return VersionTable.versionOf((int) id, profile);
    }

    private void readStatuses(ReadLog log) {
        SplittableRandom random = new SplittableRandom();
        while (!quiet) {
            pauseAbout(MEAN_PAUSE_OF_READERS, random);
            readStatus(log, random.nextInt(FaultRun.STATUSES));
        }
    }

    private void readStatus(ReadLog log, int id) {
        long asked = System.nanoTime();
        try {
            boolean enabled = statuses.isEnabled((long) id);
            log.add(asked, System.nanoTime(), id, (enabled ? UserStatus.ENABLED : UserStatus.DISABLED).code());
        } catch (UserUnavailableException e) {
            log.add(asked, System.nanoTime(), id, ReadLog.UNAVAILABLE);
            note(e, unavailable);
        }
    }

    /** Counts the reason of a call without an answer. */
    static void note(UserUnavailableException e, ConcurrentMap<String, Long> unavailable) {
        String message = String.valueOf(e.getMessage());
        unavailable.merge(message.substring(message.lastIndexOf(": ") + 2), 1L, Long::sum);
    }

    static void pauseAbout(Duration mean, SplittableRandom random) {
        pause(mean.multipliedBy(random.nextInt(2000)).dividedBy(1000));
    }

    static void pause(Duration duration) {
        LockSupport.parkNanos(duration.toNanos());
        if (Thread.currentThread().isInterrupted()) {
            throw new IllegalStateException("the node is closed");
        }
    }

    /** Arguments: the node's number, the URI of Redis, the URL of the database, a directory, and the run. */
    public static void main(String[] args) throws Exception {
        List<String> arguments = List.of(args);
        try (FaultNode node = new FaultNode(
                FaultRun.parse(arguments.subList(4, arguments.size())),
                Integer.parseInt(arguments.get(0)),
                arguments.get(1),
                arguments.get(2),
                Path.of(arguments.get(3)))) {
            JavaProcess.answerLines(node::obey);
        }
    }
}
