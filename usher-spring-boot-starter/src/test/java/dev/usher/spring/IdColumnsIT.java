package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserStatus;
import dev.usher.testkit.MariaDbServer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import javax.sql.DataSource;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.ResultSetExtractor;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.jdbc.datasource.SingleConnectionDataSource;

/**
 * All combinations of column types, spellings of ids and classes of ids: if a database accepts such an id in such a column, the
 * user is found by it, or the table is refused. The user is never reported as absent.
 */
@Execution(ExecutionMode.CONCURRENT)
class IdColumnsIT {

    /** Enough rows to show how a table is filled. */
    private static final int OTHERS = 15;

    private static final String FOUND = "found";
    private static final String REFUSED = "refused";
    private static final String ABSENT = "ABSENT";

    private static final Spelling HYPHENS = text("hyphens", UUID::toString);
    private static final Spelling UPPER = text("upper case", id -> id.toString().toUpperCase(Locale.ROOT));
    private static final Spelling PLAIN = text("no hyphens", IdColumnsIT::digitsOf);
    private static final Spelling UPPER_PLAIN =
            text("upper case, no hyphens", id -> digitsOf(id).toUpperCase(Locale.ROOT));
    private static final Spelling BYTES = bytes("bytes", IdColumnsIT::digitsOf);
    private static final List<Spelling> TEXTS = List.of(HYPHENS, UPPER, PLAIN, UPPER_PLAIN);

    /** A spelling of an id in the rows of a table. */
    private record Spelling(String name, boolean isBytes, Function<Object, String> of) {}

    private static final Map<Class<?>, List<Spelling>> SPELLINGS = Map.of(
            Long.class, numbers(),
            Integer.class, numbers(),
            String.class,
                    List.of(
                            new Spelling("itself", false, Object::toString),
                            new Spelling("a space behind", false, id -> id + " ")),
            UUID.class,
                    List.of(
                            HYPHENS,
                            UPPER,
                            PLAIN,
                            UPPER_PLAIN,
                            BYTES,
                            text("mixed case", id -> mixed(id.toString())),
                            text("mixed case, no hyphens", id -> mixed(digitsOf(id))),
                            text("braces", id -> "{" + id + "}"),
                            text("urn", id -> "urn:uuid:" + id),
                            text("a space behind", id -> id + " "),
                            bytes("bytes of UUID_TO_BIN(…, 1)", id -> {
                                String digits = digitsOf(id);
                                return digits.substring(12, 16)
                                        + digits.substring(8, 12)
                                        + digits.substring(0, 8)
                                        + digits.substring(16);
                            }),
                            bytes("bytes of Windows", id -> {
                                String digits = digitsOf(id);
                                return turned(digits.substring(0, 8))
                                        + turned(digits.substring(8, 12))
                                        + turned(digits.substring(12, 16))
                                        + digits.substring(16);
                            }),
                            bytes(
                                    "bytes of the text",
                                    id -> HexFormat.of()
                                            .formatHex(id.toString().getBytes(StandardCharsets.US_ASCII)))));

    /** An id, and others of its class. */
    private static final Map<Class<?>, List<Object>> IDS = Map.of(
            Long.class, List.of(42L),
            Integer.class, List.of(42),
            String.class, List.of("ann", "42", "550e8400-e29b-41d4-a716-446655440000"),
            UUID.class, List.of(UUID.fromString("550e8400-e29b-41d4-a716-44665544abcd")));

    @Test
    void inPostgres() {
        SingleConnectionDataSource database = new SingleConnectionDataSource(
                SharedPostgres.POSTGRES.createDatabase("id_columns"),
                SharedPostgres.POSTGRES.username(),
                SharedPostgres.POSTGRES.password(),
                true);
        try {
            JdbcTemplate jdbc = new JdbcTemplate(database);
            jdbc.execute("CREATE TYPE name_of_user AS ENUM ('ann', '42')");
            jdbc.execute("CREATE DOMAIN uuid_of_user AS uuid");
            jdbc.execute("CREATE DOMAIN text_of_user AS text");
            jdbc.execute(
                    "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
            Map<String, String> cells = cells(
                    jdbc,
                    "CREATE TEMP TABLE %s (id %s)",
                    hex -> "'\\x" + hex + "'",
                    List.of(
                            "smallint",
                            "integer",
                            "bigint",
                            "numeric",
                            "numeric(20)",
                            "numeric(20, 2)",
                            "real",
                            "double precision",
                            "money",
                            "boolean",
                            "bit(64)",
                            "text",
                            "text COLLATE \"C\"",
                            "varchar(64) COLLATE any_case",
                            "varchar",
                            "varchar(36)",
                            "varchar(32)",
                            "char(20)",
                            "char(32)",
                            "char(36)",
                            "char(40)",
                            "name",
                            "text_of_user",
                            "uuid",
                            "uuid_of_user",
                            "name_of_user",
                            "bytea",
                            "json",
                            "jsonb",
                            "date",
                            "inet",
                            "text[]"));

            assertThat(cells.keySet().stream().filter(cell -> ABSENT.equals(cells.get(cell))))
                    .isEmpty();
            assertThat(found(cells, UUID.class, "uuid")).contains("hyphens", "upper case", "no hyphens", "braces");
            assertThat(found(cells, UUID.class, "bytea")).containsExactly("bytes");
            for (String texts : List.of("text", "varchar(36)", "char(36)", "char(40)", "text_of_user")) {
                assertThat(found(cells, UUID.class, texts)).as(texts).containsAll(names(TEXTS));
            }
            assertThat(found(cells, UUID.class, "char(32)")).containsAll(names(List.of(PLAIN, UPPER_PLAIN)));
            assertThat(found(cells, UUID.class, "varchar(64) COLLATE any_case")).contains("mixed case");
            assertThat(found(cells, Long.class, "numeric(20)")).contains("itself", "zeros before");
            assertThat(found(cells, Integer.class, "bigint")).contains("itself");
            assertThat(found(cells, String.class, "char(20)")).containsExactly("itself", "a space behind");
        } finally {
            database.destroy();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"uuid", "text", "varchar(36)", "char(36)", "bytea"})
    void uuidsAreFoundByTheIndex(String type) {
        DriverManagerDataSource database = new DriverManagerDataSource(
                SharedPostgres.POSTGRES.createDatabase("indexed_" + type.replaceAll("\\W", "")),
                SharedPostgres.POSTGRES.username(),
                SharedPostgres.POSTGRES.password());
        JdbcTemplate jdbc = new JdbcTemplate(database);
        jdbc.execute("CREATE TABLE users (id " + type + " PRIMARY KEY)");
        String id = type.equals("bytea") ? "uuid_send(gen_random_uuid())" : "gen_random_uuid()::" + type;
        jdbc.execute("INSERT INTO users SELECT " + id + " FROM generate_series(1, 3000)");
        jdbc.execute("ANALYZE users");
        StatementLog log = new StatementLog(database);
        JdbcUserSource.builder(log, UUID.class)
                .table("users")
                .build((row, number) -> "a user")
                .load(Set.of(UUID.randomUUID()));
        String load = log.statements().get(log.statements().size() - 1);
        List<Object> spellings = requireNonNull(IdColumn.of(
                        UUID.class, requireNonNull(jdbc.query("SELECT id FROM users WHERE 1 = 0", (ResultSetExtractor<
                                        ColumnType>)
                                rows -> ColumnType.of(rows.getMetaData(), 1)))))
                .spellingsOf(UUID.randomUUID());

        assertThat(jdbc.queryForList("EXPLAIN " + load, String.class, spellings.toArray()))
                .as(load)
                .anyMatch(line -> line.contains("Index"))
                .noneMatch(line -> line.contains("Seq Scan"));
    }

    @Test
    @Tag("thorough")
    @EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
    void inMariaDb() {
        try (MariaDbServer server = MariaDbServer.start()) {
            SingleConnectionDataSource database = new SingleConnectionDataSource(
                    server.createDatabase("users"), server.username(), server.password(), true);
            JdbcTemplate jdbc = new JdbcTemplate(database);
            Map<String, String> cells = cells(
                    jdbc,
                    "CREATE TEMPORARY TABLE %s (id %s)",
                    hex -> "X'" + hex + "'",
                    List.of(
                            "tinyint",
                            "smallint unsigned",
                            "mediumint",
                            "int",
                            "int unsigned",
                            "int(11) unsigned zerofill",
                            "bigint",
                            "bigint unsigned",
                            "decimal(20)",
                            "decimal(20) unsigned",
                            "decimal(20, 2)",
                            "float",
                            "double",
                            "tinyint(1)",
                            "bit(1)",
                            "bit(64)",
                            "char(20)",
                            "char(32)",
                            "char(36)",
                            "char(36) COLLATE utf8mb4_bin",
                            "char(36) CHARACTER SET latin1 COLLATE latin1_bin",
                            "char(36) CHARACTER SET ascii",
                            "char(40) CHARACTER SET utf16 COLLATE utf16_bin",
                            "varchar(36)",
                            "varchar(36) COLLATE utf8mb4_bin",
                            "varchar(36) COLLATE utf8mb4_nopad_bin",
                            "varchar(36) COLLATE utf8mb4_unicode_ci",
                            "varchar(32) COLLATE utf8mb4_bin",
                            "varchar(36) BINARY",
                            "text",
                            "text COLLATE utf8mb4_bin",
                            "longtext",
                            "enum('ann', '42')",
                            "set('ann', '42')",
                            "uuid",
                            "binary(16)",
                            "varbinary(16)",
                            "binary(20)",
                            "binary(36)",
                            "varbinary(36)",
                            "varchar(36) CHARACTER SET binary",
                            "blob",
                            "tinyblob",
                            "json",
                            "inet6",
                            "date",
                            "year"));

            assertThat(cells.keySet().stream().filter(cell -> ABSENT.equals(cells.get(cell))))
                    .isEmpty();
            assertThat(found(cells, UUID.class, "uuid")).contains("hyphens", "upper case", "no hyphens");
            assertThat(found(cells, UUID.class, "binary(16)")).containsExactly("bytes");
            assertThat(found(cells, UUID.class, "varbinary(16)")).containsExactly("bytes");
            for (String texts : List.of(
                    "char(36)", "char(36) COLLATE utf8mb4_bin", "varchar(36) BINARY", "text COLLATE utf8mb4_bin")) {
                assertThat(found(cells, UUID.class, texts)).as(texts).containsAll(names(TEXTS));
            }
            assertThat(found(cells, UUID.class, "char(36)")).contains("mixed case");
            assertThat(found(cells, Long.class, "bigint unsigned")).contains("itself");
            assertThat(found(cells, Long.class, "decimal(20)")).contains("itself");
            assertThat(found(cells, String.class, "varchar(36) COLLATE utf8mb4_bin"))
                    .contains("itself");

            for (String flag : List.of("boolean", "tinyint(1)", "tinyint", "bit(1)", "char(1)", "enum('0', '1')")) {
                jdbc.execute("CREATE OR REPLACE TABLE users (id bigint PRIMARY KEY, status " + flag + ")");
                jdbc.execute("INSERT INTO users VALUES (42, " + (flag.startsWith("enum") ? "'1'" : "1") + "), (43, "
                        + (flag.startsWith("enum") ? "'0'" : "0") + ")");
                assertThat(statuses(database))
                        .as(flag)
                        .isEqualTo(Map.of(42L, UserStatus.ENABLED, 43L, UserStatus.DISABLED));
            }

            jdbc.execute("CREATE TABLE indexed (id char(36) COLLATE utf8mb4_bin PRIMARY KEY)");
            jdbc.execute("INSERT INTO indexed SELECT uuid() FROM seq_1_to_3000");
            assertThat(jdbc.queryForMap(
                            "EXPLAIN SELECT id FROM indexed WHERE id IN (?, ?, ?, ?)",
                            UuidText.spellingsOf(UUID.randomUUID()).toArray()))
                    .containsEntry("type", "range")
                    .containsEntry("key", "PRIMARY");
        }
    }

    private static Map<?, UserStatus> statuses(DataSource database) {
        UsherJdbcProperties settings = new Binder(
                        new MapConfigurationPropertySource(Map.of("usher.jdbc.table", "users")))
                .bindOrCreate("usher.jdbc", UsherJdbcProperties.class);
        try {
            return new UsersTable(database, settings, Long.class)
                    .statuses(Long.class)
                    .load(Set.of(42L, 43L));
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** The outcome of each combination, such as {@code UUID | char(36) | upper case}. */
    private static Map<String, String> cells(
            JdbcTemplate jdbc, String create, Function<String, String> literal, List<String> types) {
        Map<String, String> cells = new LinkedHashMap<>();
        for (String type : types) {
            String table = "users_" + types.indexOf(type);
            jdbc.execute(create.formatted(table, type));
            IDS.forEach((idClass, ids) -> requireNonNull(SPELLINGS.get(idClass)).forEach(spelling -> {
                if (type.equals("uuid") && spelling.isBytes && !spelling.equals(BYTES)) {
                    return; // to the database, this is another UUID
                }
                List<String> outcomes = new ArrayList<>();
                for (Object id : ids) {
                    if (fill(jdbc, table, spelling, id, literal)) {
                        outcomes.add(outcomeOf(jdbc, table, id));
                    }
                }
                if (!outcomes.isEmpty()) {
                    String outcome = outcomes.contains(ABSENT) ? ABSENT : outcomes.contains(REFUSED) ? REFUSED : FOUND;
                    cells.put(idClass.getSimpleName() + " | " + type + " | " + spelling.name, outcome);
                }
            }));
        }
        return cells;
    }

    /** Fills a table of users with ids of one spelling, if the database accepts them. */
    private static boolean fill(
            JdbcTemplate jdbc, String table, Spelling spelling, Object id, Function<String, String> literal) {
        jdbc.execute("DELETE FROM " + table);
        try {
            List<String> rows = new ArrayList<>();
            rows.add(spelled(spelling, id, literal));
            if (id instanceof UUID) {
                Random random = new Random(42);
                for (int i = 0; i < OTHERS; i++) {
                    UUID other =
                            new UUID((random.nextLong() & ~0xF000L) | 0x4000L, (random.nextLong() >>> 2) | (1L << 63));
                    rows.add(spelled(spelling, other, literal));
                }
            }
            jdbc.execute("INSERT INTO " + table + " VALUES " + String.join(", ", rows));
            return true;
        } catch (DataAccessException e) {
            return false;
        }
    }

    private static String spelled(Spelling spelling, Object id, Function<String, String> literal) {
        String text = spelling.of.apply(id);
        return "(" + (spelling.isBytes ? literal.apply(text) : "'" + text + "'") + ")";
    }

    @SuppressWarnings("unchecked")
    private static <K> String outcomeOf(JdbcTemplate jdbc, String table, K id) {
        try {
            Class<K> idClass = (Class<K>) id.getClass();
            JdbcUserSource<K, String> source = JdbcUserSource.builder(requireNonNull(jdbc.getDataSource()), idClass)
                    .table(table)
                    .build((row, number) -> "a user");
            source.probe().check(); // as at the start
            return source.load(Set.of(id)).containsKey(id) ? FOUND : ABSENT;
        } catch (Exception e) {
            return REFUSED;
        }
    }

    private static List<String> found(Map<String, String> cells, Class<?> idClass, String type) {
        String begin = idClass.getSimpleName() + " | " + type + " | ";
        return cells.entrySet().stream()
                .filter(cell ->
                        cell.getKey().startsWith(begin) && cell.getValue().equals(FOUND))
                .map(cell -> cell.getKey().substring(begin.length()))
                .toList();
    }

    private static List<String> names(List<Spelling> spellings) {
        return spellings.stream().map(Spelling::name).toList();
    }

    private static List<Spelling> numbers() {
        return List.of(
                new Spelling("itself", false, Object::toString),
                new Spelling(
                        "zeros before", false, id -> String.format(Locale.ROOT, "%022d", ((Number) id).longValue())),
                new Spelling("zeros behind", false, id -> id + ".00"),
                new Spelling("a space behind", false, id -> id + " "));
    }

    private static Spelling text(String name, Function<UUID, String> of) {
        return new Spelling(name, false, id -> of.apply((UUID) id));
    }

    private static Spelling bytes(String name, Function<UUID, String> hex) {
        return new Spelling(name, true, id -> hex.apply((UUID) id));
    }

    private static String digitsOf(UUID id) {
        return id.toString().replace("-", "");
    }

    private static String mixed(String text) {
        int half = text.length() / 2;
        return text.substring(0, half).toUpperCase(Locale.ROOT) + text.substring(half);
    }

    private static String turned(String digits) {
        StringBuilder turned = new StringBuilder();
        for (int i = digits.length() - 2; i >= 0; i -= 2) {
            turned.append(digits, i, i + 2);
        }
        return turned.toString();
    }
}
