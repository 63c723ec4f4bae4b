package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.UnreadableUsersException;
import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.testkit.PostgresServer;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.dao.QueryTimeoutException;
import org.springframework.dao.TypeMismatchDataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.transaction.support.TransactionTemplate;

@Execution(ExecutionMode.CONCURRENT)
@ResourceLock("UsersTableIT") // runs its tests one after the other
class UsersTableIT {

    private static PostgresServer postgres;
    private static DriverManagerDataSource database;
    private static JdbcTemplate jdbc;

    @BeforeAll
    static void start() {
        postgres = SharedPostgres.POSTGRES;
        database =
                new DriverManagerDataSource(postgres.createDatabase("users"), postgres.username(), postgres.password());
        jdbc = new JdbcTemplate(database);
    }

    @BeforeEach
    void create() {
        jdbc.execute("DROP TABLE IF EXISTS users CASCADE");
        jdbc.execute("CREATE TABLE users (id bigint PRIMARY KEY, mobile varchar(16), name varchar(64),"
                + " profile_photo varchar(64), is_media boolean, introduction varchar(64), certificate varchar(64),"
                + " status smallint)");
        jdbc.update("INSERT INTO users VALUES (42, '13800000000', 'Ann', 'a.png', true, 'hello', 'physician', 1),"
                + " (43, NULL, 'Bob', NULL, NULL, NULL, NULL, 0), (44, '', '', '', false, '', '', 1)");
    }

    @Test
    void nullIsAnEmptyTextOrFalse() throws Exception {
        assertThat(profiles(Long.class).load(Set.of(42L, 43L, 45L)))
                .isEqualTo(Map.of(
                        42L,
                        new UserProfile("13800000000", "Ann", "a.png", true, "hello", "physician"),
                        43L,
                        new UserProfile("", "Bob", "", false, "", "")));
    }

    @Test
    void oneAndZeroAreTheStatusesOfTheSpecification() throws Exception {
        assertThat(statuses().load(Set.of(42L, 43L, 45L)))
                .isEqualTo(Map.of(42L, UserStatus.ENABLED, 43L, UserStatus.DISABLED));
    }

    @ParameterizedTest
    @CsvSource({
        "boolean, true, false",
        "smallint, 1, 0",
        "bigint, 1, 0",
        "numeric, 1, 0",
        "bit(1), B'1', B'0'",
        "char(1), '''1''', '''0'''",
        "varchar(8), '''TRUE''', '''false'''",
        "char(8), '''t''', '''f'''",
    })
    void aFlagMayBeOfAnyType(String type, String yes, String no) throws Exception {
        changeTypes(type);
        jdbc.execute("UPDATE users SET is_media = " + yes + ", status = " + yes + " WHERE id = 42");
        jdbc.execute("UPDATE users SET is_media = " + no + ", status = " + no + " WHERE id = 43");

        assertThat(profiles(Long.class).load(Set.of(42L, 43L)))
                .extractingByKeys(42L, 43L)
                .extracting(UserProfile::isMedia)
                .containsExactly(true, false);
        assertThat(statuses().load(Set.of(42L, 43L)))
                .isEqualTo(Map.of(42L, UserStatus.ENABLED, 43L, UserStatus.DISABLED));
    }

    @ParameterizedTest
    @ValueSource(strings = {"NULL", "2", "-1", "'yes'", "''", "'13800000000'"})
    void anInvalidStatusIsNotGuessed(String value) {
        changeTypes("varchar(16)");
        jdbc.execute("UPDATE users SET status = '0' WHERE id = 43");
        jdbc.execute("UPDATE users SET status = " + value + " WHERE id = 42");

        assertThatExceptionOfType(UnreadableUsersException.class)
                .isThrownBy(() -> statuses().load(Set.of(42L, 43L)))
                .satisfies(e -> {
                    assertThat(e.found()).isEqualTo(Map.of(43L, UserStatus.DISABLED));
                    assertThat(e.failures()).containsOnlyKeys(42L);
                    assertThat(e.failures().get(42L))
                            .isInstanceOf(TypeMismatchDataAccessException.class)
                            .hasMessageContaining("status")
                            .hasMessageNotContaining("13800000000");
                });
    }

    @Test
    void anInvalidMediaFlagIsNotGuessed() {
        changeTypes("varchar(16)");
        jdbc.execute("UPDATE users SET is_media = 'maybe' WHERE id = 42");

        assertThatThrownBy(() -> profiles(Long.class).load(Set.of(42L)))
                .cause()
                .isInstanceOf(TypeMismatchDataAccessException.class)
                .hasMessageContaining("is_media");
    }

    @ParameterizedTest
    @ValueSource(strings = {"uuid", "char(36)", "text"})
    void uuidsAreReadFromTheirOwnTypeAndFromTexts(String type) throws Exception {
        UUID ann = UUID.randomUUID();
        jdbc.execute("ALTER TABLE users DROP COLUMN id");
        jdbc.execute("ALTER TABLE users ADD COLUMN id " + type);
        jdbc.execute("UPDATE users SET id = '" + ann + "' WHERE name = 'Ann'");

        assertThat(profiles(UUID.class).load(Set.of(ann, UUID.randomUUID()))).containsOnlyKeys(ann);
    }

    @Test
    void anIdOfFixedWidthIsReadWithoutItsPadding() throws Exception {
        jdbc.execute("ALTER TABLE users ALTER COLUMN id TYPE char(20)");

        assertThat(profiles(String.class).load(Set.of("42", "45"))).containsOnlyKeys("42");
    }

    @Test
    void aQueryThatTakesTooLongIsCancelled() {
        jdbc.execute("CREATE VIEW slow AS SELECT users.* FROM users, LATERAL (SELECT pg_sleep(60 + id)) AS s");

        assertThatThrownBy(() -> table("usher.jdbc.table", "slow", "usher.jdbc.query-timeout", "50ms")
                        .statuses(Long.class)
                        .load(Set.of(42L)))
                .isInstanceOf(QueryTimeoutException.class);
    }

    @Test
    void withinATransactionItsOwnChangesAreRead() throws Exception {
        TransactionTemplate transactions = new TransactionTemplate(new DataSourceTransactionManager(database));
        transactions.executeWithoutResult(transaction -> {
            jdbc.update("UPDATE users SET status = 0 WHERE id = 42");
            assertThat(load(statuses(), 42L)).isEqualTo(UserStatus.DISABLED);
            transaction.setRollbackOnly();
        });

        assertThat(load(statuses(), 42L)).isEqualTo(UserStatus.ENABLED);
    }

    @Test
    void namesMayBeQuotedAndQualified() throws Exception {
        jdbc.execute("DROP SCHEMA IF EXISTS \"the app\" CASCADE");
        jdbc.execute("CREATE SCHEMA \"the app\"");
        jdbc.execute("CREATE TABLE \"the app\".\"user\" AS SELECT id AS \"user\", status AS \"Enabled\" FROM users");

        assertThat(load(
                        table(
                                        "usher.jdbc.table",
                                        "\"the app\".\"user\"",
                                        "usher.jdbc.columns.id",
                                        "\"user\"",
                                        "usher.jdbc.columns.status",
                                        "\"Enabled\"")
                                .statuses(Long.class),
                        42L))
                .isEqualTo(UserStatus.ENABLED);
    }

    private static void changeTypes(String type) {
        for (String column : new String[] {"is_media", "status"}) {
            jdbc.execute("ALTER TABLE users ALTER COLUMN " + column + " TYPE " + type + " USING '1'::" + type);
        }
    }

    private static <V> @Nullable V load(UserSource<Long, V> source, Long id) {
        try {
            return source.load(Set.of(id)).get(id);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static <K> UserSource<K, UserProfile> profiles(Class<K> idType) {
        return table().profiles(idType);
    }

    private static UserSource<Long, UserStatus> statuses() {
        return table().statuses(Long.class);
    }

    private static UsersTable table(String... settings) {
        Map<String, String> all = new HashMap<>(Map.of("usher.jdbc.table", "users"));
        for (int i = 0; i < settings.length; i += 2) {
            all.put(settings[i], settings[i + 1]);
        }
        return new UsersTable(
                database,
                new Binder(new MapConfigurationPropertySource(all))
                        .bindOrCreate("usher.jdbc", UsherJdbcProperties.class),
                Long.class);
    }
}
