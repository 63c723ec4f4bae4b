package dev.usher;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchException;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.usher.redis.KeySpace;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

/** The unavailable users of a failing source, the number of calls, and the log lines. */
class SourceCallsTest {

    private static final String SECRET = "13800000000";

    private final List<Set<Long>> asked = new ArrayList<>();
    private final Set<Long> unreadable = new HashSet<>();
    private final Set<Long> absent = new HashSet<>();
    private final Counters counters = new Counters();
    private long now = -100;
    private long logClock = -100;
    private Duration callTakes = Duration.ZERO;
    private @Nullable Exception failure;
    private Way way = Way.THROWS;

    private final SourceErrorLog errorLog = new SourceErrorLog(new KeySpace("user", "name"), () -> logClock);
    private final SourceCalls<Long, String> calls = new SourceCalls<>(this::source, counters, errorLog, () -> now);

    /** The ways in which a source reports that it cannot read some users. */
    enum Way {
        /** It names the users. */
        REPORTS {
            @Override
            Map<Long, String> answer(Map<Long, String> found, Set<Long> unreadable) {
                throw new UnreadableUsersException(
                        found, unreadable.stream().collect(Collectors.toMap(id -> id, Way::failureOf)));
            }
        },
        /** The whole query fails. */
        THROWS {
            @Override
            Map<Long, String> answer(Map<Long, String> found, Set<Long> unreadable) {
                throw failureOf(unreadable.iterator().next());
            }
        },
        /** It returns null in place of a value. */
        ANSWERS_NULL {
            @Override
            Map<Long, String> answer(Map<Long, String> found, Set<Long> unreadable) {
                unreadable.forEach(id -> found.put(id, null));
                return found;
            }
        },
        /** It returns another user. */
        ANSWERS_ANOTHER {
            @Override
            Map<Long, String> answer(Map<Long, String> found, Set<Long> unreadable) {
                unreadable.forEach(id -> found.put(-id, "another user"));
                return found;
            }
        };

        abstract Map<Long, String> answer(Map<Long, String> found, Set<Long> unreadable);

        static IllegalStateException failureOf(Long id) {
            return new IllegalStateException("the row of " + id + " holds " + SECRET);
        }
    }

    private Map<Long, String> source(Set<Long> ids) throws Exception {
        asked.add(ids);
        now += callTakes.toNanos();
        if (failure != null) {
            throw failure;
        }
        Map<Long, String> found = new HashMap<>();
        ids.stream().filter(id -> !absent.contains(id)).forEach(id -> found.put(id, "user " + id));
        Set<Long> bad = new HashSet<>(ids);
        bad.retainAll(unreadable);
        found.keySet().removeAll(bad);
        return bad.isEmpty() ? found : way.answer(found, bad);
    }

    @ParameterizedTest
    @EnumSource
    void onlyUsersWhoseRowsCannotBeReadAreUnavailable(Way kind) throws Exception {
        way = kind;
        Random random = new Random(15);
        for (int round = 0; round < 400; round++) {
            begin();
            int users = 1 + random.nextInt(round % 2 == 0 ? 10 : 500);
            int bad = random.nextInt(users <= 8 ? users + 1 : 5);
            random.longs(bad, 1, users + 1).forEach(unreadable::add);
            random.longs(3, 1, users + 1).filter(id -> !unreadable.contains(id)).forEach(absent::add);

            assertEachUserForItself(load(users), users);
            assertThat(asked.size()).isLessThanOrEqualTo(1 + SourceCalls.MAX_REPEATED);
            if (kind == Way.REPORTS || kind == Way.ANSWERS_NULL || unreadable.isEmpty()) {
                assertThat(asked).as("it need not be asked again").hasSize(1);
            }
            assertThat(counters.loads.sum()).isEqualTo(asked.size());
        }
    }

    /** With more unreadable rows than the calls can find, readable users may be unavailable; unreadable users are never answered. */
    @Test
    void howeverManyCannotBeReadTheCallsAreLimitedAndNoUserCountsAsAbsent() throws Exception {
        Random random = new Random(15);
        for (int round = 0; round < 200; round++) {
            begin();
            int users = 1 + random.nextInt(500);
            random.longs(random.nextInt(users + 1), 1, users + 1).forEach(unreadable::add);

            Map<Long, Loaded<String>> answer = load(users);
            assertThat(asked.size()).isLessThanOrEqualTo(1 + SourceCalls.MAX_REPEATED);
            assertThat(answer).hasSize(users);
            answer.forEach((id, loaded) -> assertThat(loaded.value()).isIn(null, "user " + id));
            assertThat(unreadable).allMatch(id -> requireNonNull(answer.get(id)).failure() != null);
        }
    }

    @Test
    void oneOfFiveHundredTakesAtMostTwentyCalls() throws Exception {
        for (int round = 0; round < 100; round++) {
            begin();
            unreadable.add(13L);
            assertEachUserForItself(load(500), 500);
            assertThat(asked).hasSizeLessThanOrEqualTo(20);
        }
    }

    @Test
    void aSourceThatFailsIsAskedAFewTimesMoreAndThenLeftAloneForASecond() throws Exception {
        failure = new IllegalStateException("every row");
        assertThat(catchException(() -> load(500))).isSameAs(failure);
        assertThat(asked).hasSize(1 + SourceCalls.PROBES);
        for (int i = 0; i < 50; i++) {
            assertThat(catchException(() -> load(500))).isSameAs(failure);
        }
        assertThat(asked).hasSize(1 + SourceCalls.PROBES + 50);

        now += SourceCalls.LEFT_ALONE.toNanos();
        failure = null;
        unreadable.add(13L);
        assertEachUserForItself(load(500), 500);
    }

    @Test
    void aSlowSourceIsNotAskedAgainForLong() throws Exception {
        callTakes = Duration.ofMillis(900);
        unreadable.add(13L);
        Map<Long, Loaded<String>> answer = load(500);
        assertThat(asked).hasSizeLessThanOrEqualTo(4);
        assertThat(answer).hasSize(500);
        assertThat(requireNonNull(answer.get(13L)).failure()).isNotNull();
    }

    @Test
    void aSourceThatHangsIsNotAskedAgainWhateverItThrows() {
        callTakes = Duration.ofSeconds(5);
        failure = new IllegalStateException("no answer");
        assertThat(catchException(() -> load(500))).isSameAs(failure);
        assertThat(asked).hasSize(1);
    }

    @Test
    void aLostConnectionIsOfNoRow() {
        failure = new SQLTransientConnectionException("the pool is empty");
        assertThat(catchException(() -> load(500))).isSameAs(failure);
        assertThat(asked).hasSize(1);
    }

    @Test
    void aConnectionThatIsLostWhileTheSourceIsAskedAgainEndsIt() throws Exception {
        SourceCalls<Long, String> losing = new SourceCalls<>(
                ids -> {
                    asked.add(ids);
                    if (asked.size() == 1) {
                        throw new IllegalStateException("a row");
                    }
                    if (asked.size() > 2) {
                        throw new SQLException("lost", "08006");
                    }
                    return ids.stream().collect(Collectors.toMap(id -> id, id -> "user " + id));
                },
                counters,
                errorLog,
                () -> now);
        Map<Long, Loaded<String>> answer = losing.load(idsTo(500));
        assertThat(asked).extracting(Set::size).startsWith(500, 1).hasSize(3);
        assertThat(answer).hasSize(500);
        assertThat(answer.values())
                .filteredOn(loaded -> loaded.failure() == null)
                .hasSize(1);
    }

    /** Users that had not been read when the connection was lost are in neither map, but may exist. */
    @Test
    void aReportOfRowsThatNamesALostConnectionIsNone() {
        SQLException lost = new SQLException("lost", "08006");
        SourceCalls<Long, String> losing = new SourceCalls<>(
                ids -> {
                    throw new UnreadableUsersException(Map.of(1L, "user 1"), Map.of(2L, lost));
                },
                counters,
                errorLog,
                () -> now);
        assertThat(catchException(() -> losing.load(idsTo(3)))).isSameAs(lost);
    }

    @Test
    void anErrorIsPassedOn() {
        SourceCalls<Long, String> broken = new SourceCalls<>(
                ids -> {
                    asked.add(ids);
                    throw new NoClassDefFoundError("a driver");
                },
                counters,
                errorLog,
                () -> now);
        assertThatExceptionOfType(NoClassDefFoundError.class).isThrownBy(() -> broken.load(idsTo(3)));
        assertThat(asked).hasSize(1);
    }

    @Test
    void aCallerThatIsCalledOffAsksNoFurtherAndSaysNothing() {
        SourceCalls<Long, String> interrupted = new SourceCalls<>(
                ids -> {
                    asked.add(ids);
                    Thread.currentThread().interrupt();
                    throw new IllegalStateException("called off");
                },
                counters,
                errorLog,
                () -> now);
        List<ILoggingEvent> lines = linesOf(() ->
                assertThat(catchException(() -> interrupted.load(idsTo(3)))).hasMessage("called off"));
        assertThat(Thread.interrupted()).isTrue();
        assertThat(asked).hasSize(1);
        assertThat(lines).isEmpty();
        assertThat(errorLog.latest()).isNull();
    }

    @Test
    void aReportNeedsAUserThatCannotBeRead() {
        assertThatIllegalArgumentException().isThrownBy(() -> new UnreadableUsersException(Map.of(), Map.of()));
    }

    // The log lines.

    @Test
    void aFailingSourceIsWarnedOfOnceInTenSecondsWithoutAValueAndTheCauseIsAtDebug() {
        failure = new IllegalArgumentException(SECRET, new SQLException(SECRET, "22P02"));
        List<ILoggingEvent> lines = linesOf(() -> {
            for (int i = 0; i < 100; i++) {
                loadOrFail(1);
            }
        });
        assertThat(messages(lines, Level.WARN))
                .containsExactly("The source of name fails: IllegalArgumentException, caused by SQLException,"
                        + " SQLSTATE 22P02; users that neither memory nor Redis knows are unavailable");
        assertThat(messages(lines, Level.DEBUG)).hasSize(100).allMatch(line -> line.contains("user:1:name"));
        assertThat(lines)
                .filteredOn(line -> line.getLevel() == Level.DEBUG)
                .allMatch(line -> line.getThrowableProxy().getMessage().equals(SECRET));
        assertThat(lines).noneMatch(line -> line.getFormattedMessage().contains(SECRET));

        logClock += Duration.ofSeconds(10).toNanos();
        assertThat(messages(linesOf(() -> loadOrFail(1)), Level.WARN)).hasSize(1);
        failure = null;
        assertThat(linesOf(() -> loadOrFail(1))).as("it may fail again at once").isEmpty();
        failure = new IllegalArgumentException(SECRET);
        assertThat(messages(linesOf(() -> loadOrFail(1)), Level.WARN)).isEmpty();
        failure = null;
        logClock += Duration.ofSeconds(11).toNanos();
        assertThat(messages(linesOf(() -> loadOrFail(1)), Level.INFO))
                .containsExactly("The source of name answers again");
    }

    @ParameterizedTest
    @EnumSource(names = {"REPORTS", "THROWS"})
    void anUnreadableRowIsWarnedOfOnceInTenSecondsByItsKeyAndWithoutItsValue(Way kind) {
        way = kind;
        unreadable.add(3L);
        List<ILoggingEvent> lines = linesOf(() -> {
            for (int i = 0; i < 100; i++) {
                loadOrFail(4);
            }
        });
        assertThat(messages(lines, Level.WARN))
                .containsExactly("user:3:name cannot be read from the source: IllegalStateException; others in the same"
                        + " query are answered");
        assertThat(lines)
                .filteredOn(line -> line.getLevel() == Level.DEBUG)
                .hasSize(100)
                .allMatch(line -> line.getThrowableProxy().getMessage().contains(SECRET));
        assertThat(lines).noneMatch(line -> line.getFormattedMessage().contains(SECRET));
    }

    @Test
    void theLastErrorIsThatOfTheLastCallAndAnUnreadableRowIsNone() throws Exception {
        assertThat(errorLog.latest()).isNull();
        failure = new SQLException(SECRET, "42P01");
        loadOrFail(3);
        assertThat(errorLog.latest()).isEqualTo("SQLException, SQLSTATE 42P01");
        failure = null;
        unreadable.add(1L);
        load(3);
        assertThat(errorLog.latest()).isNull();
        way = Way.REPORTS;
        load(1);
        assertThat(errorLog.latest()).as("nothing was read").isEqualTo("IllegalStateException");
        logClock += Duration.ofSeconds(10).toNanos();
        assertThat(errorLog.latest()).as("long ago").isNull();
    }

    private void loadOrFail(int users) {
        try {
            load(users);
        } catch (Exception e) {
            assertThat(e).isSameAs(failure);
        }
    }

    private void begin() {
        asked.clear();
        unreadable.clear();
        absent.clear();
        counters.loads.reset();
        now += SourceCalls.LEFT_ALONE.toNanos();
    }

    /** If no user can be read, each has the failure. */
    private Map<Long, Loaded<String>> load(int users) throws Exception {
        Set<Long> ids = idsTo(users);
        try {
            return calls.load(ids);
        } catch (IllegalStateException e) {
            if (failure != null) {
                throw e;
            }
            return ids.stream().collect(Collectors.toMap(id -> id, id -> Loaded.failed(e)));
        }
    }

    private static Set<Long> idsTo(int users) {
        return LongStream.rangeClosed(1, users).boxed().collect(Collectors.toUnmodifiableSet());
    }

    private void assertEachUserForItself(Map<Long, Loaded<String>> answer, int users) {
        for (long id = 1; id <= users; id++) {
            Loaded<String> loaded = answer.get(id);
            if (unreadable.contains(id)) {
                assertThat(loaded)
                        .as("user %s of %s with %s", id, users, unreadable)
                        .isNotNull();
                assertThat(loaded.failure()).isInstanceOf(IllegalStateException.class);
            } else if (absent.contains(id)) {
                assertThat(loaded)
                        .as("user %s of %s with %s", id, users, unreadable)
                        .isNull();
            } else {
                assertThat(loaded)
                        .as("user %s of %s with %s", id, users, unreadable)
                        .isEqualTo(Loaded.of("user " + id));
            }
        }
    }

    private static List<String> messages(List<ILoggingEvent> lines, Level level) {
        return lines.stream()
                .filter(line -> line.getLevel() == level)
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    private static List<ILoggingEvent> linesOf(Runnable action) {
        Logger logger = (Logger) LoggerFactory.getLogger(SourceErrorLog.class);
        ListAppender<ILoggingEvent> appender = new ListAppender<>();
        appender.start();
        Level level = logger.getLevel();
        logger.setLevel(Level.DEBUG);
        logger.setAdditive(false);
        logger.addAppender(appender);
        try {
            action.run();
            return List.copyOf(appender.list);
        } finally {
            logger.detachAppender(appender);
            logger.setAdditive(true);
            logger.setLevel(level);
        }
    }
}
