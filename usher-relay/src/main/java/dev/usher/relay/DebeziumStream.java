package dev.usher.relay;

import static java.util.Objects.requireNonNull;

import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.DebeziumEngine.RecordCommitter;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import io.debezium.engine.spi.OffsetCommitPolicy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The replication stream of a slot, read by Debezium's engine. The slot is the position: the engine begins where the slot is, and moves it on when a batch is
 * marked as finished.
 */
final class DebeziumStream {

    private static final Logger log = LoggerFactory.getLogger(DebeziumStream.class);

    private static final Duration LONGEST_START = Duration.ofMinutes(1);
    private static final Duration LONGEST_STOP = Duration.ofSeconds(20);
    private static final long RETRY_MILLIS = 20;
    private static final String MAX_QUEUE_BYTES = Integer.toString(32 << 20);

    private static final String OTHER_LOG =
            "the log is not the one that the relay has followed: the database was put back to an older state";

    /** The longest pause between two looks whether a transaction can be seen. */
    private static final long LONGEST_PAUSE_MILLIS = 50;

    /** What an offset says of places in the log. */
    private static final List<String> PLACES = List.of("lsn", "lsn_proc", "lsn_commit");

    private final PostgresChangeFeed feed;
    private final ChangeFeed.Listener listener;
    private final Map<String, WatchedTable> tables;
    private final DebeziumEngine<RecordChangeEvent<SourceRecord>> engine;
    private final CountDownLatch polling = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile @Nullable String failure;

    /** The place of the bookmark, and its mark, until the log has come by; {@code null} when it does not come by. On the thread of the engine. */
    private @Nullable Long expectedPlace;

    private final String expectedMark;

    /** Asked on the thread of the engine which transactions can be seen. */
    private volatile @Nullable Connection connection;

    /**
     * From where the slot is.
     *
     * @param expectedPlace a place that the log comes by, or {@code null}
     * @param expectedMark what the listener was told of that place
     */
    DebeziumStream(
            PostgresChangeFeed feed, @Nullable Long expectedPlace, String expectedMark, ChangeFeed.Listener listener) {
        this.feed = feed;
        this.expectedPlace = expectedPlace;
        this.expectedMark = expectedMark;
        this.listener = listener;
        this.tables = feed.tables().stream().collect(Collectors.toMap(WatchedTable::qualifiedName, table -> table));
        this.engine = DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
                .using(settings())
                .using(OffsetCommitPolicy.always())
                .using(new DebeziumEngine.ConnectorCallback() {
                    @Override
                    public void pollingStarted() {
                        polling.countDown();
                    }
                })
                .using((success, message, error) -> {
                    failure = success ? "it has ended" : reasonOf(error);
                    ended.countDown();
                    polling.countDown();
                })
                .notifying(this::announce)
                .build();
    }

    private Properties settings() {
        Properties settings = new Properties();
        feed.parameters().forEach((name, value) -> settings.setProperty("driver." + name, value));
        // The server ends a stream whose other end is gone or stands still: another relay can then take over.
        settings.setProperty(
                "driver.options", (settings.getProperty("driver.options", "") + " -c wal_sender_timeout=5s").strip());
        settings.setProperty("name", "usher-relay-" + feed.slot());
        settings.setProperty("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        settings.setProperty("topic.prefix", "usher");
        String host = feed.address().host();
        settings.setProperty("database.hostname", host.contains(":") ? "[" + host + "]" : host); // it makes a URL of it
        settings.setProperty("database.port", Integer.toString(feed.address().port()));
        settings.setProperty("database.dbname", feed.address().database());
        settings.setProperty("database.user", feed.user());
        String password = feed.password();
        if (password != null) {
            settings.setProperty("database.password", password);
        }
        settings.setProperty("plugin.name", "pgoutput");
        settings.setProperty("slot.name", feed.slot());
        settings.setProperty("slot.max.retries", "0");
        settings.setProperty("publication.name", feed.publication());
        settings.setProperty("publication.autocreate.mode", "disabled");
        settings.setProperty(
                "table.include.list",
                feed.tables().stream()
                        .map(table -> table.schema() + "\\." + table.name())
                        .collect(Collectors.joining(",")));
        settings.setProperty("snapshot.mode", "no_data");
        settings.setProperty("skipped.operations", "none");
        settings.setProperty("tombstones.on.delete", "false");
        settings.setProperty("decimal.handling.mode", "string");
        settings.setProperty("status.update.interval.ms", "1000");
        settings.setProperty("poll.interval.ms", "5");
        // Rows can be large, and the heap of a relay small: not 8192 of them, whatever their size.
        settings.setProperty("max.queue.size.in.bytes", MAX_QUEUE_BYTES);
        settings.setProperty("errors.max.retries", "0");
        settings.setProperty("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        settings.setProperty("offset.flush.interval.ms", "0");
        settings.setProperty("record.processing.shutdown.timeout.ms", "100");
        return settings;
    }

    /**
     * Starts the engine, and returns when it polls.
     *
     * @throws ChangeFeedException when it does not
     */
    void start() throws ChangeFeedException {
        connection = feed.connect();
        Thread thread = new Thread(engine, "usher-relay-engine");
        thread.setDaemon(true);
        thread.start();
        try {
            if (!polling.await(LONGEST_START.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new ChangeFeedException("the log is not read after " + LONGEST_START.toSeconds() + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ChangeFeedException("the relay was interrupted", e);
        }
        requireRunning();
    }

    /**
     * Checks that the engine runs.
     *
     * @throws ChangeFeedException when it has ended, and why
     */
    void requireRunning() throws ChangeFeedException {
        if (ended.getCount() == 0) {
            throw new ChangeFeedException("the log is not read any more: " + failure);
        }
    }

    /** Stops the engine, and waits until it has ended. It cannot be stopped while it starts. */
    void stop() {
        long until = System.nanoTime() + LONGEST_STOP.toNanos();
        boolean isStopping = false;
        try {
            while (ended.getCount() > 0 && System.nanoTime() - until < 0) {
                if (!isStopping) {
                    try {
                        engine.close();
                        isStopping = true;
                    } catch (IllegalStateException | IOException e) {
                        log.debug("The stream cannot be stopped yet", e);
                    }
                }
                if (ended.await(RETRY_MILLIS, TimeUnit.MILLISECONDS)) {
                    return;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            Connection own = connection;
            if (own != null) {
                JdbcAddress.closeQuietly(own);
            }
        }
    }

    private void announce(
            List<RecordChangeEvent<SourceRecord>> records, RecordCommitter<RecordChangeEvent<SourceRecord>> committer)
            throws InterruptedException {
        if (records.isEmpty()) {
            return;
        }
        List<Change> changes = new ArrayList<>(records.size());
        Set<Long> transactions = new HashSet<>();
        long place = Long.MIN_VALUE;
        String mark = "";
        for (RecordChangeEvent<SourceRecord> event : records) {
            SourceRecord record = event.record();
            long at = placeOf(record);
            compare(at, record, changes);
            if (at >= place) {
                place = at;
                mark = markOf(record);
            }
            if (add(record, changes) && record.sourceOffset().get("txId") instanceof Number transaction) {
                transactions.add(transaction.longValue());
            }
        }
        awaitVisible(transactions);
        if (listener.changed(changes, place, mark)) {
            // The last one stands for all before it, those of earlier batches as well.
            committer.markProcessed(records.get(records.size() - 1));
            committer.markBatchFinished();
        }
    }

    /** The slot lies behind the bookmark: after a crash, and where the database was put back. Then another log has grown from there. */
    private void compare(long place, SourceRecord record, List<Change> changes) {
        Long expected = expectedPlace;
        if (expected != null && place >= expected) {
            expectedPlace = null;
            if (place > expected || !expectedMark.equals(markOf(record))) {
                changes.add(new Change.Unreadable(OTHER_LOG));
            }
        }
    }

    /** What tells a record from one of another log at the same place: when it was committed; of a message, what it says. */
    private static String markOf(SourceRecord record) {
        try {
            if (record.value() instanceof Struct value && value.schema().field("op") != null) {
                return value.getString("op").equals("m")
                        ? "m" + textOf(value.getStruct("message").get("content"))
                        : value.getStruct("source").get("ts_us").toString();
            }
        } catch (RuntimeException e) {
            log.debug("A record of the log has no mark", e);
        }
        return "";
    }

    /**
     * The log has a transaction before other sessions see it: for long, where the commit waits for a synchronous standby. A node that read the old row after the
     * fence would keep it.
     */
    private void awaitVisible(Set<Long> transactions) throws InterruptedException {
        if (transactions.isEmpty()) {
            return;
        }
        try (Statement statement = requireNonNull(connection).createStatement()) {
            long pause = 1;
            while (!snapshot(statement).sees(transactions)) {
                TimeUnit.MILLISECONDS.sleep(pause);
                pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS);
            }
        } catch (SQLException e) {
            throw new IllegalStateException("the database does not say which transactions can be seen", e);
        }
    }

    private static PostgresSnapshot snapshot(Statement statement) throws SQLException {
        try (ResultSet found = statement.executeQuery("SELECT pg_current_snapshot()::text")) {
            found.next();
            return PostgresSnapshot.of(found.getString(1));
        }
    }

    /** A place that is not before the one to which the engine will move the slot. */
    private static long placeOf(SourceRecord record) {
        Map<String, ?> offset = record.sourceOffset();
        return PLACES.stream()
                .map(offset::get)
                .filter(Number.class::isInstance)
                .mapToLong(place -> ((Number) place).longValue())
                .max()
                .orElse(Long.MIN_VALUE);
    }

    /** Whether the record is a change. */
    private boolean add(SourceRecord record, List<Change> changes) {
        if (!(record.value() instanceof Struct value) || value.schema().field("op") == null) {
            return false; // a heartbeat
        }
        try {
            String operation = value.getString("op");
            if (operation.equals("m")) {
                return false; // a message in the log, as a nudge is
            }
            Struct source = value.getStruct("source");
            String name = source.getString("schema") + "." + source.getString("table");
            WatchedTable table = tables.get(name);
            if (table == null) {
                return false; // the publication has more tables than are watched
            }
            changes.add(
                    operation.equals("t")
                            ? new Change.Emptied(name)
                            : new Change.Row(
                                    table,
                                    textsOf(value.getStruct("before"), table),
                                    textsOf(value.getStruct("after"), table),
                                    Instant.ofEpochMilli(source.getInt64("ts_ms"))));
        } catch (RuntimeException e) {
            log.debug("A record of the log could not be read", e);
            changes.add(new Change.Unreadable(
                    "a record of the log could not be read (" + e.getClass().getSimpleName() + ")"));
        }
        return true;
    }

    private static @Nullable Map<String, @Nullable String> textsOf(@Nullable Struct row, WatchedTable table) {
        if (row == null) {
            return null;
        }
        Map<String, @Nullable String> texts = new HashMap<>();
        for (Field field : row.schema().fields()) {
            if (table.needs(field.name())) {
                texts.put(field.name(), textOf(row.get(field)));
            }
        }
        return texts;
    }

    private static @Nullable String textOf(@Nullable Object value) {
        if (value == null) {
            return null;
        }
        if (value instanceof ByteBuffer buffer) {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
            return HexFormat.of().formatHex(bytes);
        }
        if (value instanceof byte[] bytes) {
            return HexFormat.of().formatHex(bytes);
        }
        if (value instanceof Collection<?> many) {
            return many.stream().map(DebeziumStream::textOf).toList().toString();
        }
        if (value instanceof Struct struct) {
            return struct.schema().fields().stream()
                    .map(field -> field.name() + "=" + textOf(struct.get(field)))
                    .toList()
                    .toString();
        }
        return value.toString();
    }

    /** The innermost reason, which the engine wraps several times. Messages of the engine may quote a row. */
    private static String reasonOf(@Nullable Throwable failure) {
        if (failure == null) {
            return Texts.reasonOf(null);
        }
        Throwable innermost = failure;
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            innermost = cause;
        }
        return innermost instanceof SQLException
                ? Texts.reasonOf(innermost)
                : innermost.getClass().getSimpleName();
    }
}
