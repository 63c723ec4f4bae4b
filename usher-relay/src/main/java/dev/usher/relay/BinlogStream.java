package dev.usher.relay;

import static java.util.Objects.requireNonNull;

import com.github.shyiko.mysql.binlog.network.ServerException;
import java.io.IOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.zip.DataFormatException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A binlog that is read from a place on. First it is compared with the mark of that place: the event that ends there, by its begin and its digest; or, of a place
 * that no event has been read before, the second in which the file was begun. Then the listener is told of the changes, whole transactions at a time, when they
 * can be seen in the database.
 */
final class BinlogStream {

    private static final Logger log = LoggerFactory.getLogger(BinlogStream.class);

    private static final Duration LONGEST_START = Duration.ofSeconds(20);
    private static final Duration LONGEST_STOP = Duration.ofSeconds(20);

    /** As many changes go to the listener together. */
    private static final int BATCH = 2_000;

    /** A transaction of more is not taken apart: everything is flushed. */
    private static final int MAX_CHANGES = 100_000;

    private static final int MAX_PREPARED = 1_000;

    /** The server cannot read the log from there: it has no such file, or no event begins there. */
    private static final int CANNOT_READ = 1236;

    private static final int ACCESS_DENIED = 1045;
    private static final int NO_PRIVILEGE = 1227;
    private static final long LONGEST_PAUSE_MILLIS = 20;

    /** Stop, variables, a part of a file, statements as comments, checkpoints, lists of GTIDs, certification, the beginning of encryption. */
    private static final Set<Integer> KNOWN_WITHOUT_CHANGES =
            Set.of(3, 5, 7, 8, 9, 11, 13, 14, 17, 28, 29, 35, 36, 37, 160, 161, 163, 164);

    /** The log is not the one that the mark is of. */
    private static final class OtherLogException extends Exception {

        private static final long serialVersionUID = 1;

        OtherLogException(String message) {
            super(message);
        }
    }

    /** A place, and its mark. */
    record Accepted(long place, String mark) {}

    private final BinlogChangeFeed feed;
    private final String base;
    private final BinlogPlace from;
    private final String expected;
    private final ChangeFeed.@Nullable Listener listener;
    private final BinlogRows rows;
    private final Thread thread;
    private final CountDownLatch compared = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private final CountDownLatch closing = new CountDownLatch(1);

    private volatile @Nullable BinlogReader reader;
    private volatile @Nullable String failure;
    private volatile boolean isOther;
    private volatile boolean isNudged;

    /** Behind the last event that was read. */
    private long read;

    private volatile Accepted accepted;

    private long file;
    private boolean hasChecksums = true;
    private volatile boolean isCompared;

    /** The place behind the last transaction that was read, and its mark. */
    private BinlogPlace latest;

    private String latestMark;

    /** Whether a transaction has begun, or the event that is to follow a GTID is awaited. */
    private boolean isInTransaction;

    private boolean isInGroup;
    private String xa = "";
    private final List<Change> transaction = new ArrayList<>();
    private final List<Change> changes = new ArrayList<>();
    private final Map<String, List<Change>> prepared = new LinkedHashMap<>();
    private @Nullable Connection connection;

    /**
     * Of a place.
     *
     * @param base the name of the files without their number
     * @param mark of the place, or a text without characters of one that is new
     * @param listener or {@code null} to compare only
     */
    BinlogStream(
            BinlogChangeFeed feed, String base, BinlogPlace from, String mark, ChangeFeed.@Nullable Listener listener) {
        this.feed = feed;
        this.base = base;
        this.from = from;
        this.expected = mark;
        this.listener = listener;
        this.rows = new BinlogRows(feed.tables());
        this.file = from.file();
        this.latest = from;
        this.latestMark = mark;
        this.read = from.number();
        this.accepted = new Accepted(from.number(), mark);
        this.thread = new Thread(this::run, "usher-relay-binlog");
        thread.setDaemon(true);
    }

    /**
     * Starts to read, and returns when the log has been compared with the mark.
     *
     * @return whether it is that log
     * @throws ChangeFeedException when it cannot be read
     */
    boolean start() throws ChangeFeedException {
        thread.start();
        try {
            if (!compared.await(LONGEST_START.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new ChangeFeedException("the binlog is not read after " + LONGEST_START.toSeconds() + " s");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ChangeFeedException("the relay was interrupted", e);
        }
        if (isOther) {
            return false;
        }
        if (!isCompared) {
            throw new ChangeFeedException("the binlog cannot be read: " + failure);
        }
        if (listener != null) {
            requireRunning();
        }
        return true;
    }

    /**
     * Checks that the log is read.
     *
     * @throws ChangeFeedException when it is not, and why
     */
    void requireRunning() throws ChangeFeedException {
        if (ended.getCount() == 0) {
            throw new ChangeFeedException("the binlog is not read any more: " + failure);
        }
    }

    /** Up to where the listener has accepted. */
    Accepted accepted() {
        return accepted;
    }

    /** Has the listener told of the latest place, with the next event or heartbeat. */
    void nudge() {
        isNudged = true;
    }

    /** Ends it, and waits until it has ended. */
    void stop() {
        closing.countDown();
        BinlogReader open = reader;
        if (open != null) {
            open.close();
        }
        thread.interrupt();
        try {
            thread.join(LONGEST_STOP.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try (BinlogReader opened = BinlogReader.open(feed, from.name(base), firstOffset())) {
            reader = opened;
            if (listener != null) {
                try (Connection own = feed.connect()) {
                    connection = own;
                    rows.refresh(own);
                    follow(opened);
                }
            } else {
                follow(opened);
            }
        } catch (OtherLogException e) {
            isOther = true;
            failure = e.getMessage();
        } catch (ServerException e) {
            isOther = !isCompared && e.getErrorCode() == CANNOT_READ;
            failure = reasonOf(e);
        } catch (SQLException e) {
            failure = Texts.reasonOf(e);
        } catch (ChangeFeedException e) {
            failure = e.getMessage();
        } catch (InterruptedException e) {
            failure = "it was ended";
        } catch (IOException e) {
            failure = e.getClass().getSimpleName() + (e.getMessage() == null ? "" : ": " + e.getMessage());
        } catch (DataFormatException | RuntimeException | Error e) {
            log.debug("The binlog cannot be read", e);
            failure = e.getClass().getSimpleName();
        } finally {
            if (failure == null) {
                failure = "it has ended";
            }
            ended.countDown();
            compared.countDown();
        }
    }

    /** Messages of the server about its log name files and places. */
    private String reasonOf(ServerException refused) {
        return switch (refused.getErrorCode()) {
            case ACCESS_DENIED, NO_PRIVILEGE ->
                "the server refuses the role " + feed.user() + " (error " + refused.getErrorCode()
                        + "). Run, as an administrator:\n" + BinlogPreflight.roleSql(feed);
            default -> "error " + refused.getErrorCode() + " of the server: " + refused.getMessage();
        };
    }

    private long firstOffset() {
        int slash = expected.indexOf('/');
        return slash > 0 ? Long.parseLong(expected.substring(0, slash)) : from.offset();
    }

    private void follow(BinlogReader opened)
            throws IOException, OtherLogException, ChangeFeedException, InterruptedException, SQLException,
                    DataFormatException {
        while (closing.getCount() > 0) {
            handle(opened.next());
            if (isCompared && listener == null) {
                return;
            }
            if (isCompared && !isInTransaction && !isInGroup) {
                boolean isDue = !changes.isEmpty() && (changes.size() >= BATCH || !opened.hasMore());
                if (isDue || isNudged) {
                    deliver();
                }
            }
        }
    }

    private void handle(byte[] arrived)
            throws OtherLogException, ChangeFeedException, SQLException, DataFormatException {
        int type = arrived[4] & 0xFF;
        if (type == BinlogEvent.FORMAT_DESCRIPTION) {
            hasChecksums = BinlogEvent.saysChecksums(arrived);
            compareFile(new BinlogEvent(arrived, arrived.length));
            return;
        }
        BinlogEvent event = BinlogEvent.of(arrived, hasChecksums);
        if (type == BinlogEvent.ROTATE) {
            rotate(event);
            return;
        }
        if (type == BinlogEvent.HEARTBEAT || type == BinlogEvent.HEARTBEAT_2 || !event.isInTheFile()) {
            return;
        }
        if (!isCompared) {
            compareEvent(event);
            return;
        }
        take(event);
        BinlogPlace behind = new BinlogPlace(file, event.next());
        if (behind.number() > read) { // not in a file of more than 4 GB, whose places begin anew
            read = behind.number();
            if (!isInTransaction && !isInGroup) {
                latest = behind;
                latestMark = event.begin() + "/" + event.digest();
            }
        }
    }

    private void rotate(BinlogEvent event) throws OtherLogException, ChangeFeedException {
        // The checksum of the first one may not be known yet.
        String name = event.nextFile();
        String expectedName = from.name(base);
        if (!isCompared && name.startsWith(expectedName)) {
            return;
        }
        BinlogPlace next = BinlogPlace.in(name, event.nextOffset());
        if (!BinlogPlace.baseOf(name).equals(base) || next.file() < file || next.file() > file + 1) {
            throw new OtherLogException("the files of the binlog begin anew: " + name);
        }
        if (next.file() > file) {
            file = next.file();
            rows.forgetMaps();
        }
    }

    private void compareFile(BinlogEvent description) throws OtherLogException {
        if (isCompared) {
            return;
        }
        String mark = "F" + description.second();
        if (expected.isEmpty()) {
            latestMark = mark;
            accepted = new Accepted(from.number(), mark);
        } else if (!expected.startsWith("F")) {
            return; // the event that follows is compared
        } else if (!expected.equals(mark)) {
            throw new OtherLogException("the file of the binlog is another one");
        }
        compared();
    }

    private void compareEvent(BinlogEvent event) throws OtherLogException {
        if (event.next() != from.offset() || !expected.equals(event.begin() + "/" + event.digest())) {
            throw new OtherLogException("the event before the place is another one");
        }
        compared();
    }

    private void compared() {
        isCompared = true;
        compared.countDown();
    }

    private void take(BinlogEvent event) throws SQLException, DataFormatException {
        switch (event.type()) {
            case BinlogEvent.MARIADB_GTID -> {
                rows.forgetMaps();
                isInGroup = true;
                isInTransaction = !event.isStandalone();
            }
            case BinlogEvent.GTID, BinlogEvent.ANONYMOUS_GTID, BinlogEvent.GTID_TAGGED -> {
                rows.forgetMaps();
                isInGroup = true;
            }
            case BinlogEvent.QUERY, BinlogEvent.QUERY_COMPRESSED -> statement(event.query());
            case BinlogEvent.TABLE_MAP -> map(event);
            case BinlogEvent.XID -> end(event.second());
            case BinlogEvent.XA_PREPARE -> prepare();
            case BinlogEvent.TRANSACTION_PAYLOAD -> {
                add(new Change.Unreadable(
                        "the log has a compressed transaction: set binlog_transaction_compression to OFF"));
                end(event.second());
            }
            case BinlogEvent.INCIDENT -> add(new Change.Unreadable("the server has noted that its log misses changes"));
            case BinlogEvent.LOAD, BinlogEvent.EXEC_LOAD, BinlogEvent.NEW_LOAD, BinlogEvent.EXECUTE_LOAD_QUERY ->
                add(new Change.Unreadable("a statement is in the log as its text, and may have changed any row"));
            case BinlogEvent.PARTIAL_UPDATE_ROWS -> rows.add(event, this::add);
            default -> other(event);
        }
    }

    private void map(BinlogEvent event) throws SQLException {
        if (rows.map(event)) {
            rows.refresh(own());
            var unused = rows.map(event);
        }
    }

    private void other(BinlogEvent event) {
        if (event.isRows()) {
            rows.add(event, this::add);
        } else if (event.type() >= BinlogEvent.OLDEST_ROWS && event.type() < BinlogEvent.WRITE_ROWS_V1) {
            add(new Change.Unreadable("the log has rows in the format of a server that is too old"));
        } else if (!KNOWN_WITHOUT_CHANGES.contains(event.type()) && !event.isIgnorable()) {
            add(new Change.Unreadable("the log has an event of an unknown type: " + event.type()));
        }
    }

    private Connection own() {
        return requireNonNull(connection);
    }

    private void statement(BinlogEvent.Query query) throws SQLException {
        BinlogStatement statement = BinlogStatement.of(query.sql(), query.database(), feed.tables());
        switch (statement.effect()) {
            case BEGIN -> {
                isInTransaction = true;
                return;
            }
            case END -> {
                end(0);
                return;
            }
            case XA_END -> {
                xa = statement.detail();
                return;
            }
            case XA_COMMIT -> {
                String name = statement.detail();
                List<Change> prepared = this.prepared.remove(name);
                if (prepared != null) {
                    prepared.forEach(this::add);
                } else if (!name.toUpperCase(Locale.ROOT).endsWith("ONEPHASE")) {
                    add(new Change.Unreadable(
                            "an XA transaction is committed that was prepared before the relay began"));
                }
                end(0);
                return;
            }
            case XA_ROLLBACK -> {
                prepared.remove(statement.detail());
                end(0);
                return;
            }
            case EMPTIED -> add(new Change.Emptied(statement.detail()));
            case ALTERED -> {
                add(new Change.Unreadable(
                        "the table " + statement.detail() + " was altered, renamed, dropped or made anew"));
                rows.refresh(own());
            }
            case OTHER_TABLE -> rows.refresh(own()); // its foreign keys may be others
            case DOUBTFUL -> add(new Change.Unreadable(statement.detail()));
            case NONE -> {
                // It changes no row that is watched.
            }
        }
        if (!isInTransaction) {
            end(0); // it is a transaction by itself
        }
    }

    private void add(Change change) {
        if (transaction.size() < MAX_CHANGES) {
            transaction.add(change);
        } else {
            // The first one stands for all.
            transaction.set(0, new Change.Unreadable("a transaction has changed more than " + MAX_CHANGES + " rows"));
        }
    }

    private void end(long second) {
        Instant at = second == 0 ? null : atOf(second);
        for (Change change : transaction) {
            changes.add(
                    change instanceof Change.Row row
                            ? new Change.Row(row.table(), row.before(), row.after(), at)
                            : change);
        }
        transaction.clear();
        isInTransaction = false;
        isInGroup = false;
    }

    /** The log knows the second only: the end of it, unless that is still to come. */
    private static Instant atOf(long second) {
        Instant end = Instant.ofEpochSecond(second).plusMillis(999);
        Instant now = Instant.now();
        return end.isAfter(now) ? now : end;
    }

    /** The rows are not to be seen before the transaction is committed, perhaps long after. */
    private void prepare() {
        if (prepared.size() >= MAX_PREPARED) {
            prepared.clear();
        }
        prepared.put(xa, List.copyOf(transaction));
        transaction.clear();
        isInTransaction = false;
        isInGroup = false;
    }

    private void deliver() throws InterruptedException, ChangeFeedException, SQLException {
        ChangeFeed.Listener told = listener;
        if (told == null) {
            return;
        }
        isNudged = false;
        if (!changes.isEmpty()) {
            awaitVisible(latest);
        }
        List<Change> all = List.copyOf(changes);
        int last = all.isEmpty() ? 0 : (all.size() - 1) / BATCH * BATCH;
        for (int begin = 0; begin < last; begin += BATCH) {
            // The place moves on behind the last part.
            var unused = told.changed(all.subList(begin, begin + BATCH), accepted.place(), accepted.mark());
        }
        if (told.changed(all.subList(last, all.size()), latest.number(), latestMark)) {
            accepted = new Accepted(latest.number(), latestMark);
        }
        changes.clear();
    }

    /**
     * The server writes a transaction into its log before other sessions see it; with replicas that have to acknowledge, long before. A node that read the old row
     * after the invalidation would cache it. MariaDB says which place of the log a snapshot is of.
     */
    private void awaitVisible(BinlogPlace place) throws SQLException, InterruptedException, ChangeFeedException {
        if (feed.address().isMySql()) {
            return;
        }
        long pause = 1;
        while (visible().number() < place.number()) {
            if (closing.await(pause, TimeUnit.MILLISECONDS)) {
                throw new InterruptedException();
            }
            pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS);
        }
    }

    private BinlogPlace visible() throws SQLException, ChangeFeedException {
        String name = "";
        long offset = 0;
        try (Statement statement = own().createStatement()) {
            statement.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT");
            try (ResultSet status = statement.executeQuery("SHOW STATUS LIKE 'binlog_snapshot_%'")) {
                while (status.next()) {
                    if (status.getString(1).equalsIgnoreCase("binlog_snapshot_file")) {
                        name = status.getString(2);
                    } else {
                        offset = status.getLong(2);
                    }
                }
            }
            statement.execute("COMMIT");
        }
        return BinlogPlace.in(name, offset);
    }
}
