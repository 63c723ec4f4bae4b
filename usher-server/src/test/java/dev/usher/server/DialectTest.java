package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DialectTest {

    @ParameterizedTest
    @CsvSource({
        "jdbc:postgresql://db/users, POSTGRESQL",
        "jdbc:mariadb://db/users?user=usher, MARIADB",
        "jdbc:mysql://db/users, MARIADB",
    })
    void aUrlHasADialect(String url, Dialect dialect) {
        assertThat(Dialect.of(url)).isEqualTo(dialect);
    }

    @ParameterizedTest
    @ValueSource(strings = {"jdbc:h2:mem:users;PASSWORD=secret", "mariadb://usher:secret@db/users", ""})
    void anotherUrlIsRefusedWithoutAQuote(String url) {
        assertThatThrownBy(() -> Dialect.of(url))
                .hasMessageContaining("spring.datasource.url should look like jdbc:postgresql:")
                .hasMessageNotContaining("secret");
    }

    @Test
    void aDriverThatIsMissingIsNamed() {
        assertThat(Dialect.driverOf("jdbc:mysql://db/users")).isEqualTo("com.mysql:mysql-connector-j");
        assertThat(Dialect.driverOf("jdbc:mariadb://db/users")).isEqualTo("org.mariadb.jdbc:mariadb-java-client");
    }

    @Test
    void timeoutsHaveTheUnitOfTheirDriver() {
        assertThat(Dialect.POSTGRESQL.timeouts(Duration.ofSeconds(2), Duration.ofSeconds(5)))
                .containsEntry("connectTimeout", "2")
                .containsEntry("socketTimeout", "5");
        assertThat(Dialect.MARIADB.timeouts(Duration.ofSeconds(2), Duration.ofSeconds(5)))
                .containsEntry("connectTimeout", "2000")
                .containsEntry("socketTimeout", "5000");
    }
}
