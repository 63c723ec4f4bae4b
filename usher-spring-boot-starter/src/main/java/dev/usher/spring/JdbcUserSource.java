package dev.usher.spring;

import static java.util.Objects.requireNonNull;

import dev.usher.UnreadableUsersException;
import dev.usher.UserSource;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLRecoverableException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.IncorrectResultSizeDataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.RowMapper;

/**
 * A source that reads users from one table of any SQL database, without handwritten SQL.
 *
 * <pre>{@code
 * UserSource<Long, Badges> badges = JdbcUserSource.builder(dataSource, Long.class)
 *         .table("badges")
 *         .idColumn("user_id")
 *         .columns("karma", "title")
 *         .build((row, number) -> new Badges(row.getInt("karma"), row.getString("title")));
 * }</pre>
 *
 * <p>The data source must lead to the <em>primary</em> of the database, see {@link UserSource}. One query reads up to 500
 * users: {@code SELECT … WHERE id IN (?, …)}, with the number of parameters rounded up to a power of two by repeating an id, so
 * that a driver and a server that cache statements see ten of them, not five hundred.
 *
 * <p>A query joins the transaction that Spring manages for the calling thread, if there is one. An id must be unique in the
 * table. A row whose id equals the requested one only in the database's comparison (such as another case under a
 * case-insensitive collation) belongs to another user. A row that the row mapper cannot read, or a second row of the same id,
 * makes its own user unavailable, and no other ({@link UnreadableUsersException}).
 *
 * <p>Ids are mapped by the type that the column has: numbers are looked up in columns of exact numbers, texts in those of
 * texts, and UUIDs in columns of UUIDs, of 16 bytes, and of texts, with hyphens or without, in lower case or in upper case. Any
 * other combination fails the start of a Spring Boot application, or else each load: it is never mistaken for an absent user.
 * For this check, the source reads the column types of the table and some of its rows once, before the first load.
 *
 * <p>Thread-safe.
 *
 * @param <K> the type of a user's id
 * @param <V> the type of the value
 */
public final class JdbcUserSource<K, V> implements UserSource<K, V> {

    private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(2);

    private final JdbcTemplate jdbc;
    private final String select;
    private final String idColumn;
    private final RowMapper<V> mapper;
    private final TableProbe<K> probe;

    private JdbcUserSource(Builder<K> builder, String table, RowMapper<V> mapper) {
        this.jdbc = new JdbcTemplate(builder.dataSource);
        // JDBC counts in seconds; a fraction must not become 0, which means no timeout.
        jdbc.setQueryTimeout(
                Math.toIntExact(builder.queryTimeout.plusNanos(999_999_999).toSeconds()));
        this.idColumn = builder.idColumn;
        String columns = builder.columns.isEmpty() ? "" : ", " + String.join(", ", builder.columns);
        this.select = "SELECT " + idColumn + columns + " FROM " + table;
        this.mapper = mapper;
        this.probe = new TableProbe<>(
                builder.dataSource,
                jdbc,
                builder.idType,
                new TableProbe.Description(table, idColumn, builder.columns, builder.flags, builder.settings));
    }

    /**
     * Begins a source that reads one table.
     *
     * @param dataSource leads to the primary of the database
     * @param idType the class of the ids: {@link Long}, {@link Integer}, {@link UUID} or {@link String}
     * @param <K> the type of a user's id
     * @return a builder that still lacks the table
     * @throws IllegalArgumentException if the ids are of another class
     */
    public static <K> Builder<K> builder(DataSource dataSource, Class<K> idType) {
        return new Builder<>(dataSource, idType);
    }

    @Override
    public Map<K, V> load(Set<K> ids) {
        IdColumn<K> column = probe.idColumn();
        Object[] parameters = parametersOf(ids, column);
        String sql = select + " WHERE " + idColumn + " IN (?" + ", ?".repeat(parameters.length - 1) + ")";
        Map<K, V> found = new HashMap<>();
        Map<K, Exception> failures = new HashMap<>(0);
        jdbc.query(
                sql,
                row -> {
                    K id = column.read(row);
                    if (id != null && ids.contains(id)) {
                        read(row, id, found, failures);
                    }
                },
                parameters);
        if (!failures.isEmpty()) {
            found.keySet().removeAll(failures.keySet());
            throw new UnreadableUsersException(found, failures);
        }
        return found;
    }

    /** Reads one row; a failure concerns its user alone. */
    private void read(ResultSet row, K id, Map<K, V> found, Map<K, Exception> failures) throws SQLException {
        try {
            V value = requireNonNull(mapper.mapRow(row, found.size()), "the row mapper returned null for a row");
            if (found.put(id, value) != null) {
                failures.put(
                        id, new IncorrectResultSizeDataAccessException("user " + id + " has more than one row", 1));
            }
        } catch (SQLException e) {
            if (isConnectionLost(e)) {
                throw e;
            }
            failures.put(id, e);
        } catch (RuntimeException e) {
            failures.put(id, e);
        }
    }

    /** Whether the connection is lost, so that the remaining rows are unknown. */
    private static boolean isConnectionLost(SQLException failure) {
        String state = failure.getSQLState();
        return failure instanceof SQLTransientConnectionException
                || failure instanceof SQLNonTransientConnectionException
                || failure instanceof SQLRecoverableException
                || (state != null && state.startsWith("08"));
    }

    private static <K> Object[] parametersOf(Set<K> ids, IdColumn<K> column) {
        Object[] parameters =
                ids.stream().flatMap(id -> column.spellingsOf(id).stream()).toArray();
        int room = Integer.highestOneBit(2 * parameters.length - 1);
        Object[] padded = Arrays.copyOf(parameters, room);
        Arrays.fill(padded, parameters.length, room, parameters[0]);
        return padded;
    }

    /** The check of the table. */
    TableProbe<K> probe() {
        return probe;
    }

    /**
     * Builds a {@link JdbcUserSource} from the names of a table and its columns. Not thread-safe.
     *
     * <p>A name is put into the statement unchanged. It is plain, of letters, digits, {@code _} and {@code $}, or quoted in the
     * way of the database ({@code "…"}, {@code `…`}, {@code […]}), and then may contain spaces.
     *
     * @param <K> the type of a user's id
     */
    public static final class Builder<K> {

        private final DataSource dataSource;
        private final Class<K> idType;
        private @Nullable String table;
        private String idColumn = "id";
        private List<String> columns = List.of();
        private Duration queryTimeout = DEFAULT_TIMEOUT;
        private Set<String> flags = Set.of();
        private TableProbe.Settings settings = TableProbe.Settings.NONE;

        private Builder(DataSource dataSource, Class<K> idType) {
            UserIdType.of(idType);
            this.dataSource = dataSource;
            this.idType = idType;
        }

        /**
         * The table or view.
         *
         * @param table its name, optionally qualified by its schema and catalog
         * @return this builder
         * @throws IllegalArgumentException if it is not a valid name
         */
        public Builder<K> table(String table) {
            if (!SqlName.isTable(table)) {
                throw new IllegalArgumentException("the name of a table " + SqlName.RULE + ", but this is " + table);
            }
            this.table = table;
            return this;
        }

        /**
         * The column of the ids, {@code id} by default. It needs an index.
         *
         * @param idColumn its name
         * @return this builder
         * @throws IllegalArgumentException if it is not a valid name
         */
        public Builder<K> idColumn(String idColumn) {
            this.idColumn = requireColumn(idColumn);
            return this;
        }

        /**
         * The columns that the row mapper reads, in this order, after the id, which is the row's first column.
         *
         * @param columns their names
         * @return this builder
         * @throws IllegalArgumentException if one of them is not a valid name
         */
        public Builder<K> columns(String... columns) {
            this.columns = Arrays.stream(columns).map(Builder::requireColumn).toList();
            return this;
        }

        /**
         * How long a query may run before it is cancelled: 2 s by default. Within a transaction with a timeout, the remaining
         * time limits it too.
         *
         * @param queryTimeout a positive duration, rounded up to whole seconds, as JDBC counts
         * @return this builder
         * @throws IllegalArgumentException if it is not positive
         */
        public Builder<K> queryTimeout(Duration queryTimeout) {
            if (queryTimeout.isNegative() || queryTimeout.isZero()) {
                throw new IllegalArgumentException("the timeout of a query is positive, but this is " + queryTimeout);
            }
            this.queryTimeout = queryTimeout;
            return this;
        }

        /**
         * Adds what the settings know about the columns.
         *
         * @param flags the columns that hold 1 or true, 0 or false
         * @param settings the settings that the names come from
         */
        Builder<K> described(Set<String> flags, TableProbe.Settings settings) {
            this.flags = flags;
            this.settings = settings;
            return this;
        }

        /**
         * The source.
         *
         * @param mapper makes a value from a row; it must neither return {@code null} nor move to another row. An exception
         *     makes the user of this row unavailable; an exception with the SQLSTATE of a lost connection, all users of the
         *     query
         * @param <V> the type of the value
         * @return the source
         * @throws IllegalStateException if no table is set
         */
        public <V> JdbcUserSource<K, V> build(RowMapper<V> mapper) {
            if (table == null) {
                throw new IllegalStateException("there is no table to read users from");
            }
            return new JdbcUserSource<>(this, table, mapper);
        }

        private static String requireColumn(String name) {
            if (!SqlName.isColumn(name)) {
                throw new IllegalArgumentException("the name of a column " + SqlName.RULE + ", but this is " + name);
            }
            return name;
        }
    }
}
