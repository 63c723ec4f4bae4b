package dev.usher;

import dev.usher.Change.Announcement;
import dev.usher.CoherenceRun.Group;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

/**
 * One node of a coherence run: threads that read and one that changes users, each of which records what it did. Run as a
 * process, it reads commands from its standard input, and answers each when it is done.
 */
final class CoherenceNode implements AutoCloseable {

    private static final int BURST = 32;

    /** How many users are in a list that is read at once. */
    private static final int LIST = 8;

    private static final long MEAN_PAUSE = Duration.ofMillis(20).toNanos();

    private final CoherenceRun run;
    private final int node;
    private final Path directory;
    private final VersionTable table;
    private final UserCaches caches;
    private final UserCache<Long, UserProfile> profiles;
    private final UserCache<Long, UserProfile> briefProfiles;
    private final Long[] ids;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<Future<?>> readers = new ArrayList<>();
    private final List<Future<?>> writers = new ArrayList<>();
    private final ReadLog last;
    private volatile boolean quiet;

    CoherenceNode(CoherenceRun run, int node, String redis, String database, Path directory) {
        this.run = run;
        this.node = node;
        this.directory = directory;
        this.table = new VersionTable(database);
        this.caches = UserCaches.builder().redis(redis).build();
        this.profiles = caches.cache(run.profiles(), Long.class, table);
        this.briefProfiles = caches.cache(run.briefProfiles(), Long.class, table);
        this.ids = new Long[run.users()];
        Arrays.setAll(ids, id -> (long) id);
        this.last = ReadLog.create(CoherenceRun.last(directory, node), run.users());
    }

    /** Begins to read and to change. */
    void begin() {
        for (int reader = 0; reader < CoherenceRun.READERS; reader++) {
            ReadLog log = ReadLog.create(CoherenceRun.reads(directory, node, reader), run.readsPerReader());
            readers.add(threads.submit(() -> read(log)));
        }
        Change.Log changes = Change.Log.create(CoherenceRun.changes(directory, node));
        ReadLog log = ReadLog.create(CoherenceRun.reads(directory, node, CoherenceRun.READERS), Change.Log.CAPACITY);
        writers.add(threads.submit(() -> change(changes, log)));
    }

    /** Waits until all reads are made; the changes go on. */
    void awaitReads() throws ExecutionException, InterruptedException {
        for (Future<?> reader : readers) {
            reader.get();
        }
    }

    /** Makes no more changes, and waits until the last one has been announced. */
    void quiet() throws ExecutionException, InterruptedException {
        quiet = true;
        for (Future<?> writer : writers) {
            writer.get();
        }
    }

    /** Reads the users from one id to another, exclusive, once. */
    void readLast(int from, int to) {
        for (int id = from; id < to; id++) {
            read(last, id);
        }
    }

    /** How many answers were given from memory. */
    long nearHits() {
        return profiles.stats().nearHits() + briefProfiles.stats().nearHits();
    }

    @Override
    public void close() {
        threads.shutdownNow();
        caches.close();
        table.close();
    }

    private UserCache<Long, UserProfile> cacheOf(int id) {
        return Group.isBrief(id) ? briefProfiles : profiles;
    }

    private void read(ReadLog log) {
        SplittableRandom random = new SplittableRandom();
        Group[] groups = Group.values();
        int[] registered = new int[run.nodes()];
        int quota = run.readsPerReader();
        long interval = run.duration().toNanos() / quota;
        long started = System.nanoTime();
        for (int done = 0; done < quota; done++) {
            if (done % BURST < LIST) {
                pauseUntil(started + done * interval);
            }
            int choice = random.nextInt(groups.length * 4 + 1);
            if (choice < groups.length && done + LIST <= quota) {
                readAll(log, groups[choice], random);
                done += LIST - 1;
            } else if (choice < groups.length * 4) {
                read(log, groups[choice / 4].pick(random.nextDouble()));
            } else {
                // A user that has not been registered on that node yet is not read.
                int of = random.nextInt(registered.length);
                int next = CoherenceRun.registered(of, registered[of]);
                if (read(log, next) > 0 && CoherenceRun.canRegister(registered[of] + 1)) {
                    registered[of]++;
                }
            }
        }
    }

    /** Reads a list of users of one cache. */
    private void readAll(ReadLog log, Group group, SplittableRandom random) {
        int first = group.pick(random.nextDouble());
        UserCache<Long, UserProfile> cache = cacheOf(first);
        List<Integer> list = new ArrayList<>(List.of(first));
        while (list.size() < LIST) {
            int next = group.pick(random.nextDouble());
            list.add(cacheOf(next).equals(cache) ? next : first);
        }
        long asked = System.nanoTime();
        try {
            Map<Long, UserProfile> answer =
                    cache.findAll(list.stream().map(id -> ids[id]).toList());
            long answered = System.nanoTime();
            list.forEach(id ->
                    log.add(asked, answered, id, VersionTable.versionOf(id, Optional.ofNullable(answer.get(ids[id])))));
        } catch (UserUnavailableException e) {
            long answered = System.nanoTime();
            list.forEach(id -> log.add(asked, answered, id, ReadLog.UNAVAILABLE));
        }
    }

    private int read(ReadLog log, int id) {
        UserCache<Long, UserProfile> cache = cacheOf(id);
        Long boxed = ids[id];
        long asked = System.nanoTime();
        int version;
        long answered;
        try {
            var answer = cache.find(boxed);
            answered = System.nanoTime();
            version = VersionTable.versionOf(id, answer);
        } catch (UserUnavailableException e) {
            answered = System.nanoTime();
            version = ReadLog.UNAVAILABLE;
        }
        log.add(asked, answered, id, version);
        return version;
    }

    private void change(Change.Log changes, ReadLog log) {
        SplittableRandom random = new SplittableRandom();
        for (int registered = 0; !quiet; ) {
            LockSupport.parkNanos((long) (2 * MEAN_PAUSE * random.nextDouble()));
            double choice = random.nextDouble();
            if (choice < 0.4) {
                change(changes, log, Group.CHANGED.pick(random.nextDouble()));
            } else if (choice < 0.6) {
                change(changes, log, Group.BRIEF.pick(random.nextDouble()));
            } else if (choice < 0.8) {
                change(changes, log, Group.MIXED.pick(random.nextDouble()));
            } else if (CoherenceRun.canRegister(registered)) {
                int id = CoherenceRun.registered(node, registered++);
                change(changes, log, id);
                logIn(id);
            }
            if (random.nextInt(3) == 0) {
                logIn((int) (CoherenceRun.existing() * random.nextDouble()));
            }
        }
    }

    private void change(Change.Log changes, ReadLog log, int id) {
        long commitStarted = System.nanoTime();
        int version = table.change(id);
        long commitDone = System.nanoTime();
        boolean confirmed = cacheOf(id).invalidate(ids[id]);
        while (!confirmed && cacheOf(id).stats().pendingFences() > 0) {
            LockSupport.parkNanos(MEAN_PAUSE);
        }
        long announced = System.nanoTime();
        // As a user that saves a form and reloads the page.
        read(log, id);
        changes.add(new Change(
                id,
                version,
                node,
                commitStarted,
                commitDone,
                announced,
                confirmed ? Announcement.FENCE : Announcement.LATE_FENCE));
    }

    private void logIn(int id) {
        ReadMark mark = cacheOf(id).beforeRead();
        UserProfile row = table.load(Set.of(ids[id])).get(ids[id]);
        if (row != null) {
            var unused = cacheOf(id).saveAsync(ids[id], row, mark);
        }
    }

    private static void pauseUntil(long time) {
        for (long left = time - System.nanoTime(); left > 0; left = time - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    /** Arguments: the node's number, the URI of Redis, the URL of the database, a directory, and the run. */
    public static void main(String[] args) throws Exception {
        List<String> arguments = List.of(args);
        try (CoherenceNode node = new CoherenceNode(
                        CoherenceRun.parse(arguments.subList(4, arguments.size())),
                        Integer.parseInt(arguments.get(0)),
                        arguments.get(1),
                        arguments.get(2),
                        Path.of(arguments.get(3)));
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println(System.nanoTime());
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ");
                switch (words[0]) {
                    case "clock" -> {}
                    case "begin" -> node.begin();
                    case "awaitReads" -> node.awaitReads();
                    case "quiet" -> node.quiet();
                    case "readLast" -> node.readLast(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
                    default -> throw new IllegalArgumentException(line);
                }
                System.out.println(words[0].equals("clock") ? System.nanoTime() : node.nearHits());
            }
        }
    }
}
