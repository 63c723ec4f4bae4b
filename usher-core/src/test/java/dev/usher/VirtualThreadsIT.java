package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.LongUnaryOperator;
import java.util.stream.LongStream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ten thousand callers that wait on virtual threads. */
class VirtualThreadsIT extends NodesOnRedis {

    private static final int MANY = 10_000;

    /** From here on a monitor does not pin a virtual thread: <a href="https://openjdk.org/jeps/491">JEP 491</a>. */
    private static final int UNPINNED = 24;

    private static final Facet<UserProfile> ROOMY = UserProfile.FACET.with(UserProfile.FACET.policy().toBuilder()
            .stalenessBound(Duration.ofMinutes(1))
            .maxWait(Duration.ofMinutes(1))
            .maxWaitingLoads(2 * MANY)
            .build());

    private final Table table = new Table();

    @TempDir
    private Path directory;

    @BeforeEach
    void fill() {
        assumeTrue(Runtime.version().feature() >= UNPINNED, "needs virtual threads that no monitor pins");
        LongStream.rangeClosed(1, MANY).forEach(id -> table.put(id, profile(id)));
    }

    private static UserProfile profile(long id) {
        return new UserProfile("", "user " + id, "", false, "", "");
    }

    @Test
    void callersOfAsManyUsersAreAnsweredAndPinNoThread() throws Exception {
        assertThat(pinnedWhile(id -> id)).isEmpty();
        assertThat(table.queries.get()).isLessThan(MANY / 2);
    }

    @Test
    void callersOfOneUserAreAnsweredAndPinNoThread() throws Exception {
        assertThat(pinnedWhile(id -> 7)).isEmpty();
        assertThat(table.queries).hasValue(1);
    }

    /** Where virtual threads were pinned while each caller asked for a user. */
    private List<String> pinnedWhile(LongUnaryOperator ids) throws Exception {
        loadClasses();
        UserCache<Long, UserProfile> cache = open(patient(uri())).cache(ROOMY, Long.class, table);
        Path file = directory.resolve("pinned.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("jdk.VirtualThreadPinned").withThreshold(Duration.ZERO);
            recording.start();
            ExecutorService callers = virtualThreads();
            try {
                List<Future<Optional<UserProfile>>> answers = new ArrayList<>(MANY);
                for (long caller = 1; caller <= MANY; caller++) {
                    long id = ids.applyAsLong(caller);
                    answers.add(callers.submit(() -> cache.find(id)));
                }
                for (int i = 0; i < MANY; i++) {
                    assertThat(answers.get(i).get(1, TimeUnit.MINUTES)).contains(profile(ids.applyAsLong(i + 1)));
                }
            } finally {
                callers.shutdownNow();
            }
            recording.stop();
            recording.dump(file);
        }
        return pinned(file);
    }

    /** The first use of a class pins the thread that loads it, and those that wait for that. */
    private void loadClasses() throws Exception {
        Table other = new Table();
        long last = MANY + 10;
        LongStream.rangeClosed(MANY + 1, last).forEach(id -> other.put(id, profile(id)));
        UserCache<Long, UserProfile> cache = open(patient(uri())).cache(ROOMY, Long.class, other);
        ExecutorService callers = virtualThreads();
        try {
            List<Future<Optional<UserProfile>>> answers = new ArrayList<>();
            for (int caller = 0; caller < 1000; caller++) {
                long id = last - caller % 10;
                answers.add(callers.submit(() -> cache.find(id)));
            }
            for (Future<Optional<UserProfile>> answer : answers) {
                assertThat(answer.get(1, TimeUnit.MINUTES)).isPresent();
            }
        } finally {
            callers.shutdownNow();
        }
    }

    private static List<String> pinned(Path file) throws IOException {
        return RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().equals("jdk.VirtualThreadPinned"))
                .map(RecordedEvent::toString)
                // The first use of a class pins the thread that loads it, wherever that is.
                .filter(event -> !event.contains("java.lang.ClassLoader.loadClass"))
                .toList();
    }

    /** They are newer than the oldest JDK that this must compile on. */
    private static ExecutorService virtualThreads() throws ReflectiveOperationException {
        return (ExecutorService)
                Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }
}
