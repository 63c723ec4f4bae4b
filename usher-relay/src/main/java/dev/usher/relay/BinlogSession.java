package dev.usher.relay;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A relay at MariaDB or MySQL. The claim is a lock by name of this connection, which the server ends when it has heard nothing of the relay for seven seconds: so it
 * ends with the process, and soon with one that stands still or is cut off.
 */
final class BinlogSession implements ChangeFeed.Session {

    private static final Logger log = LoggerFactory.getLogger(BinlogSession.class);

    /** A relay asks each second. */
    private static final int WAIT_TIMEOUT_SECONDS = 7;

    private final BinlogChangeFeed feed;
    private final Connection connection;
    private final BinlogServer server;
    private boolean isLocked;
    private @Nullable BinlogPlace created;
    private @Nullable BinlogStream stream;
    private long resets;

    BinlogSession(BinlogChangeFeed feed, Connection connection) throws SQLException {
        this.feed = feed;
        this.connection = connection;
        this.server = new BinlogServer(connection);
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET SESSION wait_timeout = " + WAIT_TIMEOUT_SECONDS);
        }
    }

    @Override
    public boolean claim() throws ChangeFeedException {
        try {
            isLocked = isLocked || isOne("SELECT GET_LOCK(?, 0)");
            return isLocked;
        } catch (SQLException e) {
            throw feed.failure("does not answer", e);
        }
    }

    private boolean isOne(String query) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setString(1, feed.lock());
            try (ResultSet found = statement.executeQuery()) {
                return found.next() && found.getInt(1) == 1;
            }
        }
    }

    @Override
    public ChangeFeed.Standing standing() throws ChangeFeedException {
        try {
            BinlogServer.Log end = server.end();
            String history = server.identity() + "/" + feed.address().database() + "/" + end.base() + "/"
                    + feed.tables().stream()
                            .map(table -> table.qualifiedName() + "." + table.id())
                            .sorted()
                            .collect(Collectors.joining(","))
                    + "/" + end.filter();
            BinlogStream running = stream;
            if (running == null) {
                BinlogPlace place = created == null ? server.first() : created;
                return new ChangeFeed.Standing(
                        history, place.number(), end.place().number(), 0, "the log ends in " + end.words());
            }
            if (server.resets() != resets) {
                // Its reader stays at the file that is gone, and hears nothing more.
                throw new ChangeFeedException("the binlog may have been begun anew");
            }
            BinlogStream.Accepted accepted = running.accepted();
            BinlogPlace place = BinlogPlace.of(accepted.place());
            return new ChangeFeed.Standing(
                    history,
                    place.number(),
                    end.place().number(),
                    0,
                    "announced up to " + place.name(end.base()) + ":" + place.offset() + ", the log ends in "
                            + end.words(),
                    accepted.mark());
        } catch (SQLException e) {
            throw feed.failure("does not say how far its log goes", e);
        }
    }

    @Override
    public void check() throws ChangeFeedException {
        try {
            new BinlogPreflight(feed, connection).check();
        } catch (SQLException e) {
            throw feed.failure("could not be checked", e);
        }
    }

    @Override
    public void create() throws ChangeFeedException {
        try {
            created = server.end().place();
        } catch (SQLException e) {
            throw feed.failure("does not say how far its log goes", e);
        }
    }

    @Override
    public void giveUp() {
        stop();
        created = null;
    }

    @Override
    public boolean holds(long place, String mark) throws ChangeFeedException {
        try {
            if (mark.isEmpty()) {
                return false;
            }
            BinlogStream compared = new BinlogStream(feed, server.end().base(), BinlogPlace.of(place), mark, null);
            try {
                return compared.start();
            } finally {
                compared.stop();
            }
        } catch (SQLException e) {
            throw feed.failure("does not say how far its log goes", e);
        }
    }

    @Override
    public void follow(long from, String mark, ChangeFeed.Listener listener) throws ChangeFeedException {
        try {
            // Before the log is compared with the mark.
            resets = server.resets();
            String base = server.end().base();
            BinlogPlace made = created;
            BinlogStream begun = made == null
                    ? new BinlogStream(feed, base, BinlogPlace.of(from), mark, listener)
                    : new BinlogStream(feed, base, made, "", listener);
            stream = begun;
            if (!begun.start()) {
                throw new ChangeFeedException("the binlog is another one than a moment ago");
            }
        } catch (SQLException e) {
            throw feed.failure("does not say how far its log goes", e);
        }
    }

    @Override
    public void requireFollowing() throws ChangeFeedException {
        if (stream != null) {
            stream.requireRunning();
        }
    }

    @Override
    public void nudge() {
        if (stream != null) {
            stream.nudge();
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
        BinlogStream running = stream;
        stream = null;
        if (running != null) {
            running.stop();
        }
    }
}
