package dev.usher.relay;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A relay at PostgreSQL. Only one process can read a slot: that is the claim, which ends with the process, and within seconds with a machine that is gone or a
 * process that stands still. An advisory lock keeps several relays from trying at once; nothing depends on it.
 */
final class PostgresSession implements ChangeFeed.Session {

    private static final Logger log = LoggerFactory.getLogger(PostgresSession.class);

    /** Of the advisory lock; the other half is made of the slot's name. */
    private static final int LOCK = 0x75_73_68_72;

    private static final String OBJECT_IN_USE = "55006";
    private static final String UNDEFINED_OBJECT = "42704";
    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    /** A new slot waits for the transactions under way. */
    private static final Duration LONGEST_CREATION = Duration.ofMinutes(1);

    /** For how long a slot that no process reads is left to the relay that has the lock, which may stand still. */
    private static final Duration COURTESY = Duration.ofSeconds(2);

    /** Less than closing the relay waits. */
    private static final Duration LONGEST_FOLLOW = Duration.ofSeconds(20);

    private static final Duration LONGEST_DROP = Duration.ofSeconds(10);
    private static final long LOOK_MILLIS = 50;

    /** What is logged: a digest of the versions of the publication and of its parts, and of the watched tables. A vacuum does not change it. */
    private static final String WATCHED =
            "(SELECT hashtextextended(coalesce(string_agg(t, ',' ORDER BY t), ''), 0) FROM"
                    + " (SELECT ?::text AS name) p CROSS JOIN LATERAL"
                    + " (SELECT 'p' || oid::text || ':' || xmin::text AS t FROM pg_publication WHERE pubname = p.name"
                    + " UNION ALL SELECT 'r' || r.oid::text || ':' || r.xmin::text FROM pg_publication_rel r"
                    + " JOIN pg_publication o ON o.oid = r.prpubid WHERE o.pubname = p.name/schemas/"
                    + " UNION ALL SELECT 't' || c.oid::text || ':' || c.relreplident::text || coalesce((SELECT string_agg("
                    + "i.indkey::text, '+' ORDER BY i.indkey::text) FROM pg_index i WHERE i.indrelid = c.oid"
                    + " AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary END), '')"
                    + " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    + " WHERE n.nspname::text || '.' || c.relname::text = ANY (?)) parts)";

    private static final String SCHEMAS = " UNION ALL SELECT 'n' || s.oid::text || ':' || s.xmin::text"
            + " FROM pg_publication_namespace s JOIN pg_publication o ON o.oid = s.pnpubid WHERE o.pubname = p.name";

    private final PostgresChangeFeed feed;
    private final Connection connection;
    private final String watched;
    private boolean locked;

    /** Since when no process has read the slot, as far as this session has looked; in {@link System#nanoTime()}. */
    private @Nullable Long freeSince;

    private @Nullable DebeziumStream stream;

    PostgresSession(PostgresChangeFeed feed, Connection connection) throws SQLException {
        this.feed = feed;
        this.connection = connection;
        boolean hasSchemas = connection.getMetaData().getDatabaseMajorVersion() >= 15;
        this.watched = WATCHED.replace("/schemas/", hasSchemas ? SCHEMAS : "");
        // The server notices within eight seconds that this machine is gone.
        execute("SET tcp_keepalives_idle = 4");
        execute("SET tcp_keepalives_interval = 2");
        execute("SET tcp_keepalives_count = 2");
    }

    @Override
    public boolean claim() throws ChangeFeedException {
        try {
            if (isActive()) {
                freeSince = null;
                return false;
            }
            if (!locked) {
                locked = isTrue("SELECT pg_try_advisory_lock(" + LOCK + ", hashtext(?))");
            }
            long now = System.nanoTime();
            if (freeSince == null) {
                freeSince = now;
            }
            return locked || now - freeSince > COURTESY.toNanos();
        } catch (SQLException e) {
            throw feed.failure("does not answer", e);
        }
    }

    @Override
    public ChangeFeed.Standing standing() throws ChangeFeedException {
        String query = "SELECT (SELECT system_identifier FROM pg_control_system()) || '/'"
                + " || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || " + watched + ","
                + " pg_current_wal_lsn() - '0/0'::pg_lsn,"
                + " CASE WHEN s.wal_status <> 'lost' THEN s.confirmed_flush_lsn - '0/0'::pg_lsn END,"
                + " coalesce(pg_current_wal_lsn() - s.restart_lsn, 0),"
                + " coalesce(s.wal_status, CASE WHEN s.slot_name IS NULL THEN 'there is no slot' ELSE 'lost' END)"
                + " FROM (SELECT 1) one LEFT JOIN pg_replication_slots s ON s.slot_name = ?";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setString(1, feed.publication());
            statement.setArray(
                    2,
                    connection.createArrayOf(
                            "text",
                            feed.tables().stream()
                                    .map(WatchedTable::qualifiedName)
                                    .toArray()));
            statement.setString(3, feed.slot());
            try (ResultSet found = statement.executeQuery()) {
                found.next();
                long place = found.getLong(3);
                boolean isLost = found.wasNull();
                return new ChangeFeed.Standing(
                        found.getString(1),
                        isLost ? null : place,
                        found.getLong(2),
                        found.getLong(4),
                        "wal_status " + found.getString(5));
            }
        } catch (SQLException e) {
            throw feed.failure("does not say how far it has been read", e);
        }
    }

    @Override
    public void check() throws ChangeFeedException {
        try {
            new PostgresPreflight(feed, connection).check();
        } catch (SQLException e) {
            throw feed.failure("could not be checked", e);
        }
    }

    @Override
    public void create() throws ChangeFeedException {
        try {
            dropSlot(feed, connection);
            connection.setNetworkTimeout(Runnable::run, (int) (2 * LONGEST_CREATION.toMillis()));
            execute("SET statement_timeout = " + LONGEST_CREATION.toMillis());
            try {
                isTrue("SELECT pg_create_logical_replication_slot(?, 'pgoutput') IS NOT NULL");
            } finally {
                execute("RESET statement_timeout");
                connection.setNetworkTimeout(Runnable::run, (int) LONGEST_DROP.toMillis());
            }
            log.info("Made the replication slot {}", feed.slot());
        } catch (SQLException e) {
            throw feed.failure(
                    "could not make the slot " + feed.slot()
                            + "; it waits for transactions that are open, and needs one of max_replication_slots",
                    e);
        }
    }

    @Override
    public void giveUp() throws ChangeFeedException {
        stop();
        try {
            dropSlot(feed, connection);
        } catch (SQLException e) {
            throw feed.failure("could not drop the slot " + feed.slot(), e);
        }
    }

    @Override
    public void follow(long from, String mark, ChangeFeed.Listener listener) throws ChangeFeedException {
        Long place = standing().place();
        boolean isBehind = place != null && place < from && !mark.isEmpty();
        DebeziumStream begun = new DebeziumStream(feed, isBehind ? from : null, mark, listener);
        stream = begun;
        begun.start();
        try {
            long until = System.nanoTime() + LONGEST_FOLLOW.toNanos();
            while (!isActive()) {
                begun.requireRunning();
                if (System.nanoTime() - until > 0) {
                    throw new ChangeFeedException("nothing reads the slot " + feed.slot() + " after "
                            + LONGEST_FOLLOW.toSeconds() + " s, though the stream has begun");
                }
                TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            }
        } catch (SQLException e) {
            throw feed.failure("does not answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ChangeFeedException("the relay was interrupted", e);
        }
    }

    @Override
    public void requireFollowing() throws ChangeFeedException {
        if (stream != null) {
            stream.requireRunning();
        }
    }

    @Override
    public void nudge() throws ChangeFeedException {
        try {
            // Other than any before: it may be what a bookmark is of.
            execute("SELECT pg_logical_emit_message(false, 'usher-relay', '" + UUID.randomUUID() + "')");
        } catch (SQLException e) {
            throw feed.failure("does not take a message for its log", e);
        }
    }

    @Override
    public void close() {
        stop();
        try {
            connection.close();
        } catch (SQLException e) {
            log.debug("The connection of the relay could not be closed", e);
        }
    }

    private void stop() {
        DebeziumStream running = stream;
        stream = null;
        if (running != null) {
            running.stop();
        }
    }

    private boolean isActive() throws SQLException {
        return isTrue("SELECT active FROM pg_replication_slots WHERE slot_name = ?");
    }

    private boolean isTrue(String queryOfSlot) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(queryOfSlot)) {
            statement.setString(1, feed.slot());
            try (ResultSet found = statement.executeQuery()) {
                return found.next() && found.getBoolean(1);
            }
        }
    }

    private void execute(String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Drops the slot, if there is one. The process that reads it may take a moment to end. */
    static void dropSlot(PostgresChangeFeed feed, Connection connection) throws SQLException, ChangeFeedException {
        long until = System.nanoTime() + LONGEST_DROP.toNanos();
        while (true) {
            try (PreparedStatement statement = connection.prepareStatement(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ?")) {
                statement.setString(1, feed.slot());
                statement.execute();
                return;
            } catch (SQLException e) {
                if (UNDEFINED_OBJECT.equals(e.getSQLState())) {
                    return;
                }
                if (!OBJECT_IN_USE.equals(e.getSQLState())) {
                    throw e;
                }
                if (System.nanoTime() - until > 0) {
                    throw new ChangeFeedException(
                            "the slot " + feed.slot() + " is in use: stop the relays first. Then run:\n"
                                    + "SELECT pg_drop_replication_slot('" + feed.slot() + "');",
                            e);
                }
            }
            try {
                TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ChangeFeedException("interrupted while the slot " + feed.slot() + " was in use", e);
            }
        }
    }

    /**
     * Drops the slot, if there is one and the role may.
     *
     * @return what to run as another role, or {@code null} when the slot is gone
     */
    static @Nullable String dropSlotIfAllowed(PostgresChangeFeed feed, Connection connection)
            throws SQLException, ChangeFeedException {
        try {
            dropSlot(feed, connection);
            return null;
        } catch (SQLException e) {
            if (!INSUFFICIENT_PRIVILEGE.equals(e.getSQLState())) {
                throw e;
            }
            return "the slot " + feed.slot()
                    + " is still there: this role may not replicate. Run as the relay's role or a"
                    + " superuser:\nSELECT pg_drop_replication_slot('" + feed.slot() + "');";
        }
    }

    /**
     * Drops the publication, if there is one.
     *
     * @param left what is left of the slot, in words, or {@code null} when nothing is
     * @throws ChangeFeedException when something is left
     */
    static void dropPublication(PostgresChangeFeed feed, Connection connection, @Nullable String left)
            throws SQLException, ChangeFeedException {
        String sql = "DROP PUBLICATION IF EXISTS " + PostgresPreflight.quoted(feed.publication());
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        } catch (SQLException e) {
            if (INSUFFICIENT_PRIVILEGE.equals(e.getSQLState())) {
                throw new ChangeFeedException(
                        (left == null ? "the slot is gone" : left) + "\nthe publication " + feed.publication()
                                + " is another role's. Run, as its owner:\n" + sql + ";",
                        e);
            }
            throw e;
        }
        if (left != null) {
            throw new ChangeFeedException("the publication is gone; " + left);
        }
    }
}
