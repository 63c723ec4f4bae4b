package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.UnreadableUsersException;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.dao.IncorrectResultSizeDataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;

/** Tests that do not depend on PostgreSQL, on an in-memory database with MySQL's dialect. */
class JdbcUserSourceTest {

    private final StatementLog database = new StatementLog(h2());
    private final JdbcTemplate jdbc = new JdbcTemplate(database);

    private static JdbcDataSource h2() {
        JdbcDataSource h2 = new JdbcDataSource();
        h2.setUrl("jdbc:h2:mem:" + UUID.randomUUID() + ";MODE=MySQL;DB_CLOSE_DELAY=-1");
        return h2;
    }

    @BeforeEach
    void fill() {
        jdbc.execute("CREATE TABLE badges (user_id bigint, `the title` varchar(20), karma int)");
        for (long id = 1; id <= 600; id++) {
            jdbc.update("INSERT INTO badges VALUES (?, ?, ?)", id, "title " + id, id * 10);
        }
        database.statements().clear();
    }

    @Test
    void theRowsOfTheRequestedUsersAreRead() {
        JdbcUserSource<Long, String> titles = badges(Long.class);

        assertThat(titles.load(Set.of(1L, 600L, 601L))).isEqualTo(Map.of(1L, "title 1: 10", 600L, "title 600: 6000"));
    }

    @Test
    void fiveHundredUsersAreReadByOneStatement() {
        Set<Long> ids = LongStream.rangeClosed(1, 500).boxed().collect(Collectors.toSet());

        assertThat(badges(Long.class).load(ids)).hasSize(500);
        assertThat(database.statements()).hasSize(1);
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 2", "3, 4", "4, 4", "5, 8", "100, 128", "257, 512", "500, 512"})
    void theNumberOfParametersIsAPowerOfTwo(int ids, int parameters) {
        assertThat(badges(Long.class)
                        .load(LongStream.rangeClosed(1, ids).boxed().collect(Collectors.toSet())))
                .hasSize(ids);

        assertThat(database.statements())
                .containsExactly("SELECT user_id, `the title`, karma FROM badges WHERE user_id IN (?"
                        + ", ?".repeat(parameters - 1) + ")");
    }

    @Test
    void idsOfEachTypeAreRead() {
        assertThat(badges(Integer.class).load(Set.of(7))).containsOnlyKeys(7);
        jdbc.execute("ALTER TABLE badges ALTER COLUMN user_id varchar(20)");
        assertThat(badges(String.class).load(Set.of("7"))).containsOnlyKeys("7");
    }

    @Test
    void uuidsAreReadFromTextsAndFromUuids() {
        UUID ann = UUID.randomUUID();
        for (String type : new String[] {"char(36)", "varchar(40)", "uuid"}) {
            jdbc.execute("DROP TABLE badges");
            jdbc.execute("CREATE TABLE badges (user_id " + type + ", `the title` varchar(20), karma int)");
            jdbc.update("INSERT INTO badges VALUES ('" + ann + "', 'sage', 1)");
            JdbcUserSource<UUID, String> badges = badges(UUID.class);

            assertThat(badges.load(Set.of(ann, UUID.randomUUID()))).as(type).isEqualTo(Map.of(ann, "sage: 1"));
            database.statements().clear();
            assertThat(badges.load(Set.of(ann))).containsOnlyKeys(ann);
            assertThat(database.statements())
                    .as("the table is checked once, before the first load")
                    .hasSize(1);
        }
    }

    @Test
    void anIdInAnotherCaseBelongsToAnotherUser() {
        jdbc.execute("ALTER TABLE badges ALTER COLUMN user_id varchar_ignorecase(20)");
        jdbc.update("INSERT INTO badges VALUES ('Ann', 'sage', 1)");

        assertThat(badges(String.class).load(Set.of("ANN", "7"))).containsOnlyKeys("7");
        assertThat(badges(String.class).load(Set.of("Ann"))).containsOnlyKeys("Ann");
    }

    /** The ways in which the row of user 7 cannot be read, and the exception of each. */
    enum Unreadable {
        SECOND_ROW(IncorrectResultSizeDataAccessException.class) {
            @Override
            void spoil(JdbcTemplate jdbc) {
                jdbc.update("INSERT INTO badges VALUES (7, 'another title', 1)");
            }
        },
        THIRD_ROW(IncorrectResultSizeDataAccessException.class) {
            @Override
            void spoil(JdbcTemplate jdbc) {
                jdbc.update("INSERT INTO badges VALUES (7, 'another title', 1), (7, 'one more', 1)");
            }
        },
        THROWN(IllegalArgumentException.class) {
            @Override
            void spoil(JdbcTemplate jdbc) {
                jdbc.update("UPDATE badges SET `the title` = 'legacy' WHERE user_id = 7");
            }
        },
        BY_THE_DRIVER(SQLException.class) {
            @Override
            void spoil(JdbcTemplate jdbc) {
                jdbc.execute("ALTER TABLE badges ALTER COLUMN karma varchar(20)");
                jdbc.update("UPDATE badges SET karma = 'many' WHERE user_id = 7");
            }
        },
        NOTHING(NullPointerException.class) {
            @Override
            void spoil(JdbcTemplate jdbc) {
                jdbc.update("UPDATE badges SET `the title` = NULL WHERE user_id = 7");
            }
        };

        private final Class<? extends Exception> failure;

        Unreadable(Class<? extends Exception> failure) {
            this.failure = failure;
        }

        abstract void spoil(JdbcTemplate jdbc);
    }

    @ParameterizedTest
    @EnumSource
    void anUnreadableRowFailsItsOwnUserOnly(Unreadable row) {
        row.spoil(jdbc);
        JdbcUserSource<Long, String> badges = badges(Long.class);

        assertThatExceptionOfType(UnreadableUsersException.class)
                .isThrownBy(() -> badges.load(Set.of(6L, 7L, 8L, 601L)))
                .satisfies(e -> {
                    assertThat(e.found()).isEqualTo(Map.of(6L, "title 6: 60", 8L, "title 8: 80"));
                    assertThat(e.failures()).containsOnlyKeys(7L);
                    assertThat(e.failures().get(7L)).isInstanceOf(row.failure);
                });
        assertThat(badges.load(Set.of(6L, 8L))).hasSize(2);
    }

    @Test
    void aConnectionThatIsLostAmongTheRowsFailsTheQuery() {
        JdbcUserSource<Long, String> losing = JdbcUserSource.builder(database, Long.class)
                .table("badges")
                .idColumn("user_id")
                .build((row, number) -> {
                    if (number == 1) {
                        throw new SQLException("the connection is gone", "08006");
                    }
                    return "read";
                });

        assertThatThrownBy(() -> losing.load(Set.of(6L, 7L, 8L)))
                .isInstanceOf(DataAccessResourceFailureException.class)
                .hasRootCauseMessage("the connection is gone");
    }

    @Test
    void aSecondRowNamesItsUser() {
        jdbc.update("INSERT INTO badges VALUES (7, 'another title', 1)");

        assertThatThrownBy(() -> badges(Long.class).load(Set.of(7L))).cause().hasMessageContaining("user 7 ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "badges b", "badges; DROP TABLE badges"})
    void anInvalidNameIsRefused(String name) {
        JdbcUserSource.Builder<Long> builder = JdbcUserSource.builder(database, Long.class);

        assertThatIllegalArgumentException().isThrownBy(() -> builder.table(name));
        assertThatIllegalArgumentException().isThrownBy(() -> builder.idColumn(name));
        assertThatIllegalArgumentException().isThrownBy(() -> builder.columns("karma", name));
    }

    @Test
    void aBuilderThatLacksWhatItNeedsIsRefused() {
        JdbcUserSource.Builder<Long> builder = JdbcUserSource.builder(database, Long.class);

        assertThatIllegalStateException().isThrownBy(() -> builder.build((row, number) -> ""));
        assertThatIllegalArgumentException().isThrownBy(() -> builder.queryTimeout(Duration.ZERO));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> JdbcUserSource.builder(database, Short.class))
                .withMessageContaining("java.lang.Short");
    }

    private <K> JdbcUserSource<K, String> badges(Class<K> idType) {
        JdbcUserSource<K, String> badges = JdbcUserSource.builder(database, idType)
                .table("badges")
                .idColumn("user_id")
                .columns("`the title`", "karma")
                .build(JdbcUserSourceTest::badge);
        badges.probe().check();
        database.statements().clear();
        return badges;
    }

    @SuppressWarnings("NullAway") // A row mapper must not return null.
    private static String badge(ResultSet row, int number) throws SQLException {
        String title = row.getString("the title");
        if ("legacy".equals(title)) {
            throw new IllegalArgumentException("no badge has this title");
        }
        return title == null ? null : title + ": " + row.getInt(3);
    }
}
