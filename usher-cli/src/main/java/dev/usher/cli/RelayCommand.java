package dev.usher.cli;

import java.io.PrintStream;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Runs the relay by itself, and prints what becomes of it, until it is stopped. */
@Command(
        name = "relay",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = {
            "Announce the changes of users that no application announces, such as SQL by hand, from the log of the database"
                    + " that USHER_DATABASE_URL names, to the Redis that USHER_REDIS_URI names. It ends with Ctrl-C or SIGTERM;"
                    + " the position in the log stays, and the next relay goes on there. Start it several times: one is"
                    + " active, the others stand by.",
            "It reads no users, and needs no server of usher beside it."
        },
        footerHeading = "%nEnvironment, besides that of 'serve':%n",
        footer = {
            "  USHER_RELAY_TABLE            the table of users: users, or as in accounts.users",
            "  USHER_RELAY_ID_COLUMN        its column with the id: id",
            "  USHER_RELAY_STATUS_COLUMN    its column that says who may act: status",
            "  USHER_RELAY_ENABLED_VALUES   the texts in it with which a user may: 1,true",
            "  USHER_RELAY_IGNORED_COLUMNS  columns that nothing cached depends on",
            "  USHER_RELAY_FACETS           what the fleet caches: status,profile. Users that",
            "                                 may not act are revoked in status, or in the",
            "                                 first one where the fleet has no status",
            "  USHER_KEY_PREFIX             what all keys in Redis begin with: user",
            "  USHER_RELAY_USERNAME         the role that reads the log, and its",
            "  USHER_RELAY_PASSWORD           password: those of the database by default",
            "  MANAGEMENT_PORT              port of /actuator/health and",
            "                                 /actuator/prometheus, on loopback unless",
            "                                 MANAGEMENT_SERVER_ADDRESS says otherwise",
            "",
            "Exit codes: 0 success, 1 failure, 2 a command that cannot be read; 130 after",
            "Ctrl-C, 143 after SIGTERM."
        })
final class RelayCommand implements Callable<Integer> {

    private static final String MANAGEMENT_PORT = "MANAGEMENT_PORT";
    private static final long PAUSE_MILLIS = 100;

    private final PrintStream output;
    private final Map<String, String> environment;

    RelayCommand(PrintStream output, Map<String, String> environment) {
        this.output = output;
        this.environment = environment;
    }

    @Override
    public Integer call() throws InterruptedException {
        CountDownLatch ending = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(1);
        // Its port first: what cannot be answered is told before the relay of another process gives way.
        try (RelayHttp http = http();
                RunningRelay relay = RunningRelay.start(environment)) {
            if (http != null) {
                http.answerOf(relay);
            }
            Runtime.getRuntime().addShutdownHook(new Thread(() -> end(ending, ended), "usher-shutdown"));
            line("Database", String.valueOf(RunningRelay.databaseOf(relay.context())));
            line("Redis", RunningRelay.redisOf(relay.context()));
            List<String> facets = RunningRelay.facetsOf(relay.context());
            line(
                    "Facets",
                    String.join(", ", facets) + "  (users that may not act are revoked in "
                            + RelayApplication.revokedIn(facets) + ")");
            if (http != null) {
                line("Health", http.address());
            }
            StateLines lines = new StateLines();
            do {
                Health health = relay.health();
                String line = lines.next(stateOf(health), health.getStatus().equals(Status.UP), System.nanoTime());
                if (line != null) {
                    output.println(Instant.now().truncatedTo(ChronoUnit.MILLIS) + "  " + line);
                }
            } while (!ending.await(PAUSE_MILLIS, TimeUnit.MILLISECONDS));
        } finally {
            ended.countDown();
        }
        return CommandLine.ExitCode.OK;
    }

    /** The JVM ends when the relay has. */
    private static void end(CountDownLatch ending, CountDownLatch ended) {
        ending.countDown();
        try {
            ended.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private @Nullable RelayHttp http() {
        String port = environment.getOrDefault(MANAGEMENT_PORT, "");
        if (port.isBlank()) {
            return null;
        }
        String address = environment.getOrDefault("MANAGEMENT_SERVER_ADDRESS", "");
        return RelayHttp.start(
                address.isBlank() ? "127.0.0.1" : address.strip(), ServerSettings.port(MANAGEMENT_PORT, port.strip()));
    }

    private static String stateOf(Health health) {
        String state = String.valueOf(health.getDetails().getOrDefault("state", "starting"));
        Object error = health.getDetails().get("lastError");
        String words = state.toLowerCase(Locale.ROOT)
                + (Boolean.TRUE.equals(health.getDetails().get("flushing"))
                        ? ", and everything cached is flushed"
                        : "");
        return error == null ? words : words + ": " + error;
    }

    private void line(String what, String value) {
        output.printf(Locale.ROOT, "%-15s%s%n", what, value);
    }
}
