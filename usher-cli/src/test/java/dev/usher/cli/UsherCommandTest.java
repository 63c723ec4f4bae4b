package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
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

    @ParameterizedTest
    @ValueSource(strings = {"relay", "relay check"})
    void theRelayNeedsTheRedisOfItsFleet(String arguments) {
        assertThat(run(
                        Map.of("USHER_DATABASE_URL", "jdbc:postgresql://127.0.0.1:1/users?user=relay"),
                        arguments.split(" ")))
                .isEqualTo(1);
        assertThat(errors.toString())
                .isEqualToIgnoringNewLines("usher: name the Redis of the fleet with USHER_REDIS_URI");
    }

    @ParameterizedTest
    @ValueSource(strings = {"relay", "relay check", "relay drop"})
    void theRelayNeedsARole(String arguments) {
        Map<String, String> environment = Map.of(
                "USHER_DATABASE_URL", "jdbc:postgresql://127.0.0.1:1/users", "USHER_REDIS_URI", "redis://127.0.0.1:1");
        assertThat(run(environment, arguments.split(" "))).isEqualTo(1);
        assertThat(errors.toString())
                .isEqualToIgnoringNewLines(
                        "usher: name the role that reads the changes with USHER_DATABASE_USERNAME or USHER_RELAY_USERNAME");
    }

    /** {@code drop} needs none of the first. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "USHER_RELAY_FACETS          | status,Badges   | relay, relay check",
                "USHER_RELAY_FACETS          | status,,profile | relay, relay check",
                "USHER_KEY_PREFIX            | a{b             | relay, relay check",
                "USHER_REDIS_SSL_BUNDLE      | fleet           | relay, relay check",
                "USHER_RELAY_MAX_RETAINED    | much            | relay, relay check, relay drop",
                "USHER_RELAY_MAX_RETAINED    | 1KB             | relay, relay check, relay drop",
                "USHER_RELAY_SLOT            | Fleet-1         | relay, relay check, relay drop",
                "USHER_RELAY_TABLE           | my users        | relay, relay check, relay drop",
                "USHER_RELAY_IGNORED_COLUMNS | id              | relay, relay check, relay drop",
                "USHER_RELAY_URL             | jdbc:oracle:x   | relay, relay check, relay drop",
            })
    void aSettingOfTheRelayThatCannotBeIsNamedInALine(String variable, String value, String commands) {
        Map<String, String> environment = Map.of(
                "USHER_DATABASE_URL",
                "jdbc:postgresql://127.0.0.1:1/users?user=relay",
                "USHER_DATABASE_USERNAME",
                "relay",
                "USHER_REDIS_URI",
                "redis://127.0.0.1:1",
                // 'relay' does not listen on it.
                "PORT",
                "none",
                variable,
                value);
        for (String command : commands.split(", ")) {
            errors.getBuffer().setLength(0);
            assertThat(run(environment, command.split(" "))).as(command).isEqualTo(1);
            assertThat(errors.toString())
                    .as(command)
                    .hasLineCount(1)
                    .startsWith("usher: the relay did not start: ")
                    .contains(
                            variable.equals("USHER_REDIS_SSL_BUNDLE")
                                    ? "SSL bundle name 'fleet' cannot be found"
                                    : variable);
        }
    }

    @Test
    void aRedisOfTheRelayMayBeNamedByItsHost() {
        Map<String, String> environment = Map.of(
                "USHER_DATABASE_URL", "jdbc:postgresql://127.0.0.1:1/users?user=relay",
                "USHER_REDIS_HOST", "127.0.0.1",
                "USHER_REDIS_PORT", "1");
        assertThat(run(environment, "relay", "check")).isEqualTo(1);
        assertThat(errors.toString())
                .startsWith("usher: the database users at ")
                .contains("cannot be reached");
    }

    @Test
    void usersAreRevokedInTheStatus() {
        assertThat(RelayApplication.revokedIn(List.of("profile", "status"))).isEqualTo("status");
        assertThat(RelayApplication.revokedIn(List.of("badges", "access"))).isEqualTo("badges");
    }

    @Test
    void inABinlogNothingIsDropped() {
        Map<String, String> environment = Map.of("USHER_DATABASE_URL", "jdbc:mariadb://127.0.0.1:1/users?user=relay");
        assertThat(run(environment, "relay", "drop")).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8)).hasLineCount(1).startsWith("Nothing is to be dropped");
        assertThat(errors.toString()).isEmpty();
    }

    private int run(Map<String, String> environment, String... arguments) {
        return UsherCommand.commandLine(new PrintStream(output, true, StandardCharsets.UTF_8), environment)
                .setErr(new PrintWriter(errors, true))
                .execute(arguments);
    }
}
