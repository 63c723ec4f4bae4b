package dev.usher.spring;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.NestedExceptionUtils;
import org.springframework.dao.DataAccessException;
import org.springframework.dao.DataIntegrityViolationException;
import org.springframework.dao.NonTransientDataAccessResourceException;
import org.springframework.dao.TransientDataAccessResourceException;
import org.springframework.jdbc.BadSqlGrammarException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.ResultSetExtractor;
import org.springframework.jdbc.core.RowCallbackHandler;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * Checks a table before users are looked up in it: whether it exists, which types its columns have, and whether its users are
 * found by their ids. A table that fails the check answers no lookup: it would report existing users as absent.
 *
 * <p>A table that has passed is not checked again. A table that has failed is checked again, because it may have been
 * corrected.
 *
 * @param <K> the type of the ids
 */
final class TableProbe<K> {

    private static final Logger log = LoggerFactory.getLogger(TableProbe.class);

    /** Enough rows to see how a table is filled. */
    private static final int SAMPLE = 64;

    private final JdbcTemplate jdbc;
    private final JdbcTemplate sampling;
    private final DataSource dataSource;
    private final Class<K> idClass;
    private final Description table;
    private final AtomicBoolean said = new AtomicBoolean();

    private volatile @Nullable IdColumn<K> ids;
    private volatile boolean sampled;

    /**
     * The description of a table.
     *
     * @param flags the columns that hold 1 or true, 0 or false
     * @param settings the settings that name the table, the ids and the columns, as far as settings do
     */
    record Description(String table, String idColumn, List<String> columns, Set<String> flags, Settings settings) {

        Description {
            columns = List.copyOf(columns);
            flags = Set.copyOf(flags);
        }

        /** The name of the setting, as the beginning of a message about it. */
        String inTable() {
            return prefix(settings.table);
        }

        String inIdType() {
            return prefix(settings.idType);
        }

        String inColumn(String column) {
            return prefix(settings.columns.getOrDefault(column, ""));
        }

        private static String prefix(String setting) {
            return setting.isEmpty() ? "" : setting + ": ";
        }
    }

    /**
     * The settings that describe a table.
     *
     * @param columns the setting of each column
     */
    record Settings(String table, String idType, Map<String, String> columns) {

        static final Settings NONE = new Settings("", "", Map.of());

        Settings {
            columns = Map.copyOf(columns);
        }
    }

    TableProbe(DataSource dataSource, JdbcTemplate jdbc, Class<K> idClass, Description table) {
        this.dataSource = dataSource;
        this.jdbc = jdbc;
        this.sampling = new JdbcTemplate(dataSource);
        sampling.setQueryTimeout(jdbc.getQueryTimeout());
        sampling.setMaxRows(SAMPLE);
        this.idClass = idClass;
        this.table = table;
    }

    String tableName() {
        return table.table();
    }

    /**
     * The column of the ids, for a load.
     *
     * @throws UnfitUsersTableException if users cannot be looked up; the failure is logged once
     */
    IdColumn<K> idColumn() {
        IdColumn<K> known = ids;
        if (known != null && sampled) {
            return known;
        }
        try {
            return check();
        } catch (UnfitUsersTableException e) {
            if (said.compareAndSet(false, true)) {
                log.error("A table of users cannot be read as it is described: {}", e.getMessage());
            }
            throw e;
        }
    }

    /**
     * Checks the table, unless it has passed before.
     *
     * @throws UnfitUsersTableException if it does not pass
     * @throws DataAccessException if the database does not answer
     */
    IdColumn<K> check() {
        IdColumn<K> column = ids;
        if (column == null) {
            column = describe();
            ids = column;
        }
        // In a transaction, a refused statement would abort the caller's work.
        if (!sampled && !isBound()) {
            sample(column);
            sampled = true;
        }
        said.set(false);
        return column;
    }

    private boolean isBound() {
        return TransactionSynchronizationManager.isActualTransactionActive()
                || TransactionSynchronizationManager.isSynchronizationActive()
                || TransactionSynchronizationManager.hasResource(dataSource);
    }

    // The types of the columns.

    private IdColumn<K> describe() {
        List<ColumnType> types;
        try {
            types = typesOf(Stream.concat(Stream.of(table.idColumn()), table.columns().stream())
                    .toList());
        } catch (BadSqlGrammarException e) {
            throw new UnfitUsersTableException(missingNames(e));
        }
        List<String> problems = new ArrayList<>();
        IdColumn<K> column = IdColumn.of(idClass, types.get(0));
        if (column == null) {
            problems.add(table.inIdType() + idColumnText() + " is of the type "
                    + types.get(0).name() + ", in which "
                    + UserIdType.of(idClass).text() + " cannot be looked up" + adviceFor(types.get(0)));
        }
        for (int i = 0; i < table.columns().size(); i++) {
            String name = table.columns().get(i);
            ColumnType type = types.get(i + 1);
            if (table.flags().contains(name) && !canBeFlag(type)) {
                problems.add(table.inColumn(name) + columnText(name) + " is of the type " + type.name()
                        + ", which holds neither numbers nor booleans");
            }
        }
        if (column == null || !problems.isEmpty()) {
            throw new UnfitUsersTableException(problems);
        }
        return column;
    }

    private List<ColumnType> typesOf(List<String> columns) {
        ResultSetExtractor<List<ColumnType>> metadata = rows -> {
            List<ColumnType> types = new ArrayList<>();
            for (int i = 1; i <= columns.size(); i++) {
                types.add(ColumnType.of(rows.getMetaData(), i));
            }
            return types;
        };
        List<ColumnType> types = jdbc.query(
                "SELECT " + String.join(", ", columns) + " FROM " + table.table() + " WHERE 1 = 0", metadata);
        return types == null ? List.of() : types;
    }

    private static String adviceFor(ColumnType column) {
        UserIdType fit = IdColumn.bestFor(column);
        return fit == null ? "" : "; ids in it are of the type " + fit.setting();
    }

    private static boolean canBeFlag(ColumnType type) {
        return switch (type.kind()) {
            case NUMBER, ROUNDED, BOOLEAN, TEXT -> true;
            case UUID, BYTES, OTHER -> false;
        };
    }

    /** Tests each name separately: the error messages of databases for several names differ. */
    private List<String> missingNames(BadSqlGrammarException refusal) {
        String rest = ", or this account may not read it" + codeOf(refusal);
        if (isRefused("1")) {
            return List.of(table.inTable() + "there is no table or view " + table.table() + rest);
        }
        Map<String, String> missing = new LinkedHashMap<>();
        for (String column : Stream.concat(Stream.of(table.idColumn()), table.columns().stream())
                .toList()) {
            if (isRefused(column)) {
                missing.put(
                        column,
                        table.inColumn(column) + "there is no column " + column + " in " + table.table() + rest);
            }
        }
        if (missing.isEmpty()) {
            throw refusal;
        }
        return List.copyOf(missing.values());
    }

    private boolean isRefused(String selected) {
        try {
            ResultSetExtractor<Boolean> nothing = rows -> false;
            return Boolean.TRUE.equals(
                    jdbc.query("SELECT " + selected + " FROM " + table.table() + " WHERE 1 = 0", nothing));
        } catch (BadSqlGrammarException e) {
            return true;
        }
    }

    // The contents of the table.

    /** The contents of some rows. */
    private final class Sample {

        private final Map<K, Boolean> ids = new LinkedHashMap<>();
        private final Map<String, Boolean> readableFlags = new LinkedHashMap<>();
        private boolean unreadableIds;
    }

    private void sample(IdColumn<K> column) {
        Sample sample;
        try {
            sample = read(column);
        } catch (NonTransientDataAccessResourceException | TransientDataAccessResourceException e) {
            throw e; // the database is unreachable
        } catch (DataAccessException e) {
            // A view may be slow without a condition on the id. Its rows are then not checked.
            log.debug("No rows of {} could be read as a sample", table.table(), e);
            return;
        }
        List<String> problems = new ArrayList<>();
        if (sample.ids.isEmpty() && sample.unreadableIds) {
            problems.add(table.inIdType() + idColumnText() + " holds nothing that is "
                    + UserIdType.of(idClass).text());
        } else if (column.areMisread(List.copyOf(sample.ids.keySet()))) {
            problems.add(table.inIdType() + idColumnText()
                    + " holds UUIDs with their bytes in another order, as UUID_TO_BIN(…, 1)"
                    + " or Windows has them; a view can put them in order");
        } else {
            problems.addAll(lookupProblems(column, sample));
        }
        sample.readableFlags.forEach((name, readable) -> {
            if (!readable) {
                problems.add(table.inColumn(name) + columnText(name)
                        + " holds neither numbers nor booleans: none of its texts is 1 or true, 0 or false");
            }
        });
        if (!problems.isEmpty()) {
            throw new UnfitUsersTableException(problems);
        }
    }

    private Sample read(IdColumn<K> column) {
        Sample sample = new Sample();
        List<String> flags = List.copyOf(table.flags());
        String selected = String.join(
                ", ", Stream.concat(Stream.of(table.idColumn()), flags.stream()).toList());
        RowCallbackHandler reader = row -> {
            K id = column.read(row);
            if (id != null) {
                sample.ids.put(id, column.isLookedUpAsIn(row, id));
            } else if (row.getObject(1) != null) {
                sample.unreadableIds = true;
            }
            for (int i = 0; i < flags.size(); i++) {
                String text = row.getString(i + 2);
                if (text != null && isText(row, i + 2)) {
                    sample.readableFlags.merge(flags.get(i), UsersTable.isFlag(text), Boolean::logicalOr);
                }
            }
        };
        sampling.query("SELECT " + selected + " FROM " + table.table(), reader);
        return sample;
    }

    private static boolean isText(ResultSet row, int column) throws SQLException {
        return ColumnType.of(row.getMetaData(), column).kind() == ColumnType.Kind.TEXT;
    }

    /** Looks up the users of the sample as a load does; if there are none, an example id, so that the database checks its type. */
    private List<String> lookupProblems(IdColumn<K> column, Sample sample) {
        List<Object> parameters = new ArrayList<>();
        Set<K> asked = sample.ids.keySet();
        asked.forEach(id -> parameters.addAll(column.spellingsOf(id)));
        if (parameters.isEmpty()) {
            parameters.addAll(
                    column.spellingsOf(idClass.cast(UserIdType.of(idClass).example())));
        }
        Set<K> found = new HashSet<>();
        try {
            RowCallbackHandler reader = row -> {
                K id = column.read(row);
                if (id != null) {
                    found.add(id);
                }
            };
            jdbc.query(
                    "SELECT " + table.idColumn() + " FROM " + table.table() + " WHERE " + table.idColumn() + " IN (?"
                            + ", ?".repeat(parameters.size() - 1) + ")",
                    reader,
                    parameters.toArray());
        } catch (BadSqlGrammarException | DataIntegrityViolationException e) {
            return List.of(table.inIdType() + idColumnText() + " cannot be compared with "
                    + UserIdType.of(idClass).text() + codeOf(e));
        }
        // A missing row whose spelling was looked up has been deleted meanwhile.
        boolean allFound = sample.ids.entrySet().stream().allMatch(id -> id.getValue() || found.contains(id.getKey()));
        return allFound
                ? List.of()
                : List.of(table.inIdType() + idColumnText()
                        + " holds ids in a form that usher does not look up. It looks up a text as it is, and"
                        + " a UUID with or without hyphens, in lower or upper case, without trailing spaces");
    }

    // Texts.

    private String idColumnText() {
        return columnText(table.idColumn());
    }

    private String columnText(String name) {
        return "the column " + name + " of " + table.table();
    }

    /** The SQLSTATE of a failure, without its message, which may quote values. */
    static String codeOf(Throwable failure) {
        return NestedExceptionUtils.getMostSpecificCause(failure) instanceof SQLException e && e.getSQLState() != null
                ? " (SQLSTATE " + e.getSQLState() + ")"
                : "";
    }
}
