package dev.usher.cli;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Starts the server, prints its addresses, and waits until it is stopped. */
@Command(
        name = "serve",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = "Start the server. It ends with Ctrl-C.")
final class ServeCommand implements Callable<Integer> {

    private final PrintStream output;
    private final Map<String, String> environment;

    ServeCommand(PrintStream output, Map<String, String> environment) {
        this.output = output;
        this.environment = environment;
    }

    @Override
    public Integer call() throws InterruptedException {
        ServerSettings settings = ServerSettings.of(environment);
        GeneratedAdministrator generated = GeneratedAdministrator.create();
        // An embedded database has no users yet.
        Map<String, Object> defaults = settings.databaseUrl() == null ? generated.settings() : Map.of();
        try (RunningServer server = RunningServer.start(settings, defaults, Map.of(), List.of())) {
            AdministratorLogin login = AdministratorLogin.of(server, generated);
            line("API", server.address());
            line("Redis", server.redis() + embedded(settings.redisUri() == null));
            line(
                    "Database",
                    server.database()
                            + embedded(settings.databaseUrl() == null)
                            + (server.hasReachedDatabase()
                                    ? ""
                                    : "  (cannot be reached yet; the server goes on trying)"));
            line("Administrator", login.account());
            line("Log in", login.command());
            server.awaitClosing();
        }
        return CommandLine.ExitCode.OK;
    }

    private void line(String what, String value) {
        output.printf(Locale.ROOT, "%-15s%s%n", what, value);
    }

    private static String embedded(boolean embedded) {
        return embedded ? "  (embedded: its data ends with this process)" : "";
    }
}
