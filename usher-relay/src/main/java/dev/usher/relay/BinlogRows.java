package dev.usher.relay;

import static java.util.Objects.requireNonNull;

import com.github.shyiko.mysql.binlog.event.DeleteRowsEventData;
import com.github.shyiko.mysql.binlog.event.Event;
import com.github.shyiko.mysql.binlog.event.EventData;
import com.github.shyiko.mysql.binlog.event.EventType;
import com.github.shyiko.mysql.binlog.event.TableMapEventData;
import com.github.shyiko.mysql.binlog.event.UpdateRowsEventData;
import com.github.shyiko.mysql.binlog.event.WriteRowsEventData;
import com.github.shyiko.mysql.binlog.event.deserialization.DeleteRowsEventDataDeserializer;
import com.github.shyiko.mysql.binlog.event.deserialization.EventDataDeserializer;
import com.github.shyiko.mysql.binlog.event.deserialization.EventDeserializer;
import com.github.shyiko.mysql.binlog.event.deserialization.EventDeserializer.CompatibilityMode;
import com.github.shyiko.mysql.binlog.event.deserialization.EventHeaderV4Deserializer;
import com.github.shyiko.mysql.binlog.event.deserialization.NullEventDataDeserializer;
import com.github.shyiko.mysql.binlog.event.deserialization.TableMapEventDataDeserializer;
import com.github.shyiko.mysql.binlog.event.deserialization.UpdateRowsEventDataDeserializer;
import com.github.shyiko.mysql.binlog.event.deserialization.WriteRowsEventDataDeserializer;
import com.github.shyiko.mysql.binlog.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.Serializable;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.zip.DataFormatException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes changes of watched tables from the events of rows, and of the table maps before them. Confined to one thread. */
final class BinlogRows {

    private static final Logger log = LoggerFactory.getLogger(BinlogRows.class);

    /** In the place of a table whose rows cannot be read, or that is not watched. */
    private record Mapped(
            @Nullable WatchedTable table,
            @Nullable List<String> names,
            @Nullable String unfit,
            @Nullable Set<String> cascading) {}

    /** A table map without a table ends a statement. */
    private static final long NO_TABLE = 0xFF_FF_FFL;

    private final Map<String, WatchedTable> tables = new HashMap<>();
    private final Map<WatchedTable, BinlogColumns> columns = new HashMap<>();
    private final Map<Long, Mapped> mapped = new HashMap<>();
    private final Map<Long, TableMapEventData> maps = new HashMap<>();
    private final EventDeserializer deserializer;
    private BinlogCascades cascades = BinlogCascades.none();

    BinlogRows(List<WatchedTable> watched) {
        for (WatchedTable table : watched) {
            tables.put(keyOf(table.schema(), table.name()), table);
        }
        Map<EventType, EventDataDeserializer<?>> deserializers = new EnumMap<>(EventType.class);
        deserializers.put(EventType.TABLE_MAP, new TableMapEventDataDeserializer());
        deserializers.put(EventType.WRITE_ROWS, new WriteRowsEventDataDeserializer(maps));
        deserializers.put(EventType.UPDATE_ROWS, new UpdateRowsEventDataDeserializer(maps));
        deserializers.put(EventType.DELETE_ROWS, new DeleteRowsEventDataDeserializer(maps));
        deserializers.put(
                EventType.EXT_WRITE_ROWS, new WriteRowsEventDataDeserializer(maps).setMayContainExtraInformation(true));
        deserializers.put(
                EventType.EXT_UPDATE_ROWS,
                new UpdateRowsEventDataDeserializer(maps).setMayContainExtraInformation(true));
        deserializers.put(
                EventType.EXT_DELETE_ROWS,
                new DeleteRowsEventDataDeserializer(maps).setMayContainExtraInformation(true));
        this.deserializer = deserializer(deserializers);
    }

    /** Only with these, and not with all: those for MySQL's compressed transactions need a library that is not there. */
    @SuppressWarnings({"rawtypes", "unchecked"})
    private EventDeserializer deserializer(Map<EventType, EventDataDeserializer<?>> deserializers) {
        EventDeserializer made = new EventDeserializer(
                new EventHeaderV4Deserializer(),
                new NullEventDataDeserializer(),
                (Map<EventType, EventDataDeserializer>) (Map) deserializers,
                maps);
        made.setCompatibilityMode(
                EnumSet.of(CompatibilityMode.DATE_AND_TIME_AS_LONG, CompatibilityMode.CHAR_AND_BINARY_AS_BYTE_ARRAY));
        return made;
    }

    /** Names of databases and tables are compared without their case: whether that matters is a setting of the server. */
    private static String keyOf(String schema, String name) {
        return (schema + '\0' + name).toLowerCase(Locale.ROOT);
    }

    /** Asks the database for the columns anew. */
    void refresh(Connection connection) throws SQLException {
        columns.clear();
        cascades = BinlogCascades.none();
        for (WatchedTable table : tables.values()) {
            columns.put(table, BinlogColumns.of(table, connection));
        }
        cascades = BinlogCascades.of(existing(), connection);
    }

    /** A table may have been dropped, or renamed and not yet replaced. */
    private List<WatchedTable> existing() {
        return tables.values().stream()
                .filter(table -> !requireNonNull(columns.get(table)).isEmpty())
                .toList();
    }

    /** A statement is over: a table map holds for one. */
    void forgetMaps() {
        mapped.clear();
        maps.clear();
    }

    /**
     * Notes a table map.
     *
     * @return whether the columns as they are known do not fit it, so that they may be asked for again
     */
    boolean map(BinlogEvent event) {
        WatchedTable table = tables.get(event.mapped().toLowerCase(Locale.ROOT));
        Set<String> cascading = cascades.of(event.mapped());
        if (table == null) {
            mapped.put(event.table(), new Mapped(null, null, null, cascading));
            return false;
        }
        try {
            TableMapEventData map = (TableMapEventData) read(event);
            BinlogColumns known = columns.get(table);
            if (known == null) {
                throw new BinlogColumns.UnfitException("the columns of " + table + " are not known");
            }
            mapped.put(event.table(), new Mapped(table, known.namesFor(map), null, cascading));
            return false;
        } catch (BinlogColumns.UnfitException e) {
            mapped.put(event.table(), new Mapped(table, null, e.getMessage(), cascading));
            return true;
        } catch (IOException | DataFormatException | RuntimeException e) {
            log.debug("A table map of the log could not be read", e);
            mapped.put(
                    event.table(),
                    new Mapped(table, null, "the columns of " + table + " could not be read", cascading));
            return false;
        }
    }

    /** Adds the changes of an event of rows. */
    void add(BinlogEvent event, Consumer<Change> changes) {
        long number = event.table();
        if (number == NO_TABLE) {
            return;
        }
        Mapped map = mapped.get(number);
        if (map == null) {
            changes.accept(new Change.Unreadable("the log has rows of a table that it does not name"));
            return;
        }
        Set<String> cascading = map.cascading();
        if (cascading != null && cascading.contains(event.isDelete() ? "DELETE" : event.isUpdate() ? "UPDATE" : "")) {
            changes.accept(new Change.Unreadable(
                    "rows of a table have changed from which a foreign key cascades to a watched one"));
        }
        WatchedTable table = map.table();
        List<String> names = map.names();
        if (table == null) {
            return;
        }
        if (names == null) {
            changes.accept(new Change.Unreadable(String.valueOf(map.unfit())));
            return;
        }
        if (event.type() == BinlogEvent.PARTIAL_UPDATE_ROWS) {
            changes.accept(
                    new Change.Unreadable("the log has parts of rows of " + table + ": binlog_row_value_options"));
            return;
        }
        try {
            add(read(event), table, names, changes);
        } catch (BinlogColumns.UnfitException e) {
            changes.accept(new Change.Unreadable(String.valueOf(e.getMessage())));
        } catch (IOException | DataFormatException | RuntimeException e) {
            log.debug("Rows of the log could not be read", e);
            changes.accept(new Change.Unreadable("rows of " + table + " in the log could not be read ("
                    + e.getClass().getSimpleName() + ")"));
        }
    }

    private EventData read(BinlogEvent event) throws IOException, DataFormatException {
        Event read = deserializer.nextEvent(new ByteArrayInputStream(event.plain()));
        EventData data = read == null ? null : read.getData();
        if (data == null) {
            throw new IOException("an event without data");
        }
        return data;
    }

    private void add(EventData data, WatchedTable table, List<String> names, Consumer<Change> changes)
            throws BinlogColumns.UnfitException {
        BinlogColumns known = columns.get(table);
        if (known == null) {
            throw new BinlogColumns.UnfitException("the columns of " + table + " are not known");
        }
        if (data instanceof WriteRowsEventData written) {
            for (Serializable[] row : written.getRows()) {
                changes.accept(after(table, null, known.texts(names, written.getIncludedColumns(), row)));
            }
        } else if (data instanceof DeleteRowsEventData deleted) {
            for (Serializable[] row : deleted.getRows()) {
                changes.accept(before(table, known.texts(names, deleted.getIncludedColumns(), row)));
            }
        } else if (data instanceof UpdateRowsEventData updated) {
            BitSet includedBefore = updated.getIncludedColumnsBeforeUpdate();
            for (Map.Entry<Serializable[], Serializable[]> row : updated.getRows()) {
                changes.accept(after(
                        table,
                        known.texts(names, includedBefore, row.getKey()),
                        known.texts(names, updated.getIncludedColumns(), row.getValue())));
            }
        }
    }

    private static Change after(
            WatchedTable table, @Nullable Map<String, @Nullable String> before, Map<String, @Nullable String> after) {
        String status = table.status();
        if (!after.containsKey(table.id()) || (status != null && !after.containsKey(status))) {
            return incomplete(table);
        }
        if (before == null) {
            return new Change.Row(table, null, after, null);
        }
        if (!before.containsKey(table.id())) {
            return incomplete(table);
        }
        boolean isSame = Objects.equals(before.get(table.id()), after.get(table.id()));
        return new Change.Row(table, isSame ? null : before, after, null);
    }

    private static Change before(WatchedTable table, Map<String, @Nullable String> before) {
        return before.containsKey(table.id()) ? new Change.Row(table, before, null, null) : incomplete(table);
    }

    private static Change incomplete(WatchedTable table) {
        return new Change.Unreadable("the log has rows of " + table
                + " without the column of the id or of the status: a session has another binlog_row_image than FULL");
    }
}
