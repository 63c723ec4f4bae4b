package dev.usher.cli;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Starts the server, says where it is, and lets it serve until it is told to end. */
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
        // Nobody but this process can know the users of a database that is its own.
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
            line("Administrator", login.who());
            line("Log in", login.how());
            server.awaitClosing();
        }
        return CommandLine.ExitCode.OK;
    }

    private void line(String what, String value) {
        output.printf(Locale.ROOT, "%-15s%s%n", what, value);
    }

    private static String embedded(boolean embedded) {
        return embedded ? "  (embedded: what it holds ends with this process)" : "";
    }
}
