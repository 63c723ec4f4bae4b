package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UsherCommandTest {

    private final ByteArrayOutputStream output = new ByteArrayOutputStream();
    private final StringWriter errors = new StringWriter();

    @ParameterizedTest
    @ValueSource(strings = {"", "--help"})
    void theHelpNamesTheCommandsAndTheEnvironment(String arguments) {
        assertThat(run(Map.of(), arguments.isEmpty() ? new String[0] : new String[] {arguments}))
                .isZero();
        assertThat(output.toString(StandardCharsets.UTF_8))
                .contains("serve ", "demo ", "relay ", "PORT ", "USHER_REDIS_URI ", "USHER_DATABASE_URL ")
                .satisfies(help -> assertThat(help.lines()).allMatch(line -> line.length() <= 80));
    }

    @Test
    void theHelpOfTheRelayNamesItsVariables() {
        assertThat(run(Map.of(), "relay", "--help")).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8))
                .contains("check", "drop", "USHER_RELAY_TABLE ", "USHER_RELAY_FACETS ", "MANAGEMENT_PORT ")
                .satisfies(help -> assertThat(help.lines()).allMatch(line -> line.length() <= 80));
    }

    @Test
    void theVersionIsPrinted() {
        assertThat(run(Map.of(), "--version")).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8)).startsWith("usher ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "-1", "100001", "many", "1.5", "99999999999"})
    void aNumberOfUsersThatCannotBeIsRefused(String users) {
        assertThat(run(Map.of(), "demo", "--users", users)).isEqualTo(2);
        assertThat(errors.toString())
                .contains("'--users': must be a number from 1 to 100000, but is '" + users + "'")
                .contains("Try 'usher demo --help'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"server", "--port=1", "serve --users=1", "demo 5"})
    void anUnknownCommandIsRefusedBeforeAnythingStarts(String line) {
        assertThat(run(Map.of(), line.split(" "))).isEqualTo(2);
        assertThat(errors.toString()).startsWith("usher: ").contains("--help'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"serve", "demo"})
    void anEnvironmentThatCannotBeUsedIsToldInALine(String command) {
        assertThat(run(Map.of("USHER_DATABASE_URL", "mysql://db"), command)).isEqualTo(1);
        assertThat(errors.toString())
                .hasLineCount(1)
                .startsWith("usher: USHER_DATABASE_URL should look like jdbc:postgresql://");
    }

    @ParameterizedTest
    @ValueSource(strings = {"serve", "demo"})
    void theDriverOfMySqlIsTheUsersToAdd(String command) {
        assertThat(run(Map.of("PORT", "0", "USHER_DATABASE_URL", "jdbc:mysql://db/users"), command))
                .isEqualTo(1);
        assertThat(errors.toString())
                .hasLineCount(1)
                .startsWith("usher: usher contains no driver for MySQL")
                .contains("com.mysql:mysql-connector-j", "USHER_CLASS_PATH");
    }

    @ParameterizedTest
    @ValueSource(strings = {"jdbc:postgresql", "jdbc:mariadb"})
    void aDatabaseThatTheDemoDoesNotReachIsToldInALine(String kind) {
        assertThat(run(
                        Map.of("PORT", "0", "USHER_DATABASE_URL", kind + "://127.0.0.1:1/users?password=secret"),
                        "demo"))
                .isEqualTo(1);
        assertThat(errors.toString())
                .hasLineCount(1)
                .startsWith("usher: the database " + kind + "://127.0.0.1:1/users?password=*** cannot be used: ")
                .doesNotContain("secret");
    }

    @ParameterizedTest
    @ValueSource(strings = {"drop", "check"})
    void theDatabaseOfTheRelayIsNamed(String command) {
        assertThat(run(Map.of(), "relay", command)).isEqualTo(1);
        assertThat(errors.toString()).isEqualToIgnoringNewLines("usher: name the database with USHER_DATABASE_URL");
    }

    @Test
    void theRelayNeedsTheRedisOfItsFleet() {
        assertThat(run(Map.of("USHER_DATABASE_URL", "jdbc:postgresql://127.0.0.1:1/users"), "relay"))
                .isEqualTo(1);
        assertThat(errors.toString())
                .isEqualToIgnoringNewLines("usher: name the Redis of the fleet with USHER_REDIS_URI");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "USHER_RELAY_FACETS  | status,Badges | usher.relay.facets",
                "USHER_RELAY_FACETS  | status,,profile | usher.relay.facets",
                "USHER_RELAY_MAX_RETAINED | much | usher.relay.max-retained",
                "USHER_KEY_PREFIX    | a{b | usher.key-prefix",
            })
    void aSettingOfTheRelayThatCannotBeIsNamedInALine(String variable, String value, String setting) {
        assertThat(run(
                        Map.of(
                                "USHER_DATABASE_URL",
                                "jdbc:postgresql://127.0.0.1:1/users?user=relay",
                                "USHER_REDIS_URI",
                                "redis://127.0.0.1:1",
                                variable,
                                value),
                        "relay"))
                .isEqualTo(1);
        assertThat(errors.toString())
                .hasLineCount(1)
                .startsWith("usher: the relay did not start: ")
                .contains(setting);
    }

    private int run(Map<String, String> environment, String... arguments) {
        return UsherCommand.commandLine(new PrintStream(output, true, StandardCharsets.UTF_8), environment)
                .setErr(new PrintWriter(errors, true))
                .execute(arguments);
    }
}
