package dev.usher.cli;

import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command {@code usher}. By itself it prints its help. */
@Command(
        name = "usher",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = "A user service for Java services: who is this user, and may they act?",
        synopsisSubcommandLabel = "COMMAND",
        footerHeading =
                "%nFrom its sources, './usher bench' measures usher beside its peers;%n'./usher bench --help' says how.%n%nEnvironment:%n",
        footer = {
            "  PORT                         HTTP port of 'serve': 8080, or 0 for a free one",
            "  MANAGEMENT_PORT              port of health and metrics, on loopback; else they are",
            "                                 on the HTTP port, and metrics need a token",
            "  USHER_REDIS_URI              as redis://host:6379, behind Sentinels as",
            "                                 redis-sentinel://host:26379,host:26379#primary,",
            "                                 or of a Cluster as",
            "                                 redis-cluster://host:7001,host:7001",
            "  USHER_REDIS_SENTINEL_PASSWORD  the password of the Sentinels",
            "  USHER_DATABASE_URL           as jdbc:postgresql://host:5432/database, or as",
            "                                 jdbc:mariadb://host:3306/database",
            "  USHER_DATABASE_USERNAME      its user name,",
            "  USHER_DATABASE_PASSWORD      and password",
            "  USHER_CLASS_PATH             jars of further drivers: that of MySQL",
            "  USHER_JAVA_OPTIONS           options of the JVM, such as -Xmx512m",
            "  USHER_SERVER_ADMIN_MOBILE    the first administrator's mobile number,",
            "  USHER_SERVER_ADMIN_PASSWORD    and password",
            "",
            "Without a Redis or a database, one is started that ends with the server, on",
            "loopback and without a password: not for a machine that others use too.",
            "Without a database the server itself listens on loopback only;",
            "SERVER_ADDRESS=0.0.0.0 makes it listen to others.",
            "Exit codes: 0 success, 1 failure, 2 a command that cannot be read."
        })
public final class UsherCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private UsherCommand() {}

    /** Runs the command, and ends the JVM with its exit code. */
    public static void main(String[] arguments) {
        PrintStream output = System.out;
        // Standard output is for the result of the command; the log goes to standard error.
        System.setOut(System.err);
        // The driver logs each error of MariaDB, which is reported in one line, and quotes values of rows.
        System.setProperty("mariadb.logging.disable", "true");
        System.exit(commandLine(output, System.getenv()).execute(arguments));
    }

    static CommandLine commandLine(PrintStream output, Map<String, String> environment) {
        return new CommandLine(new UsherCommand())
                .addSubcommand(new ServeCommand(output, environment))
                .addSubcommand(new DemoCommand(output, environment))
                .addSubcommand(new CommandLine(new RelayCommand(output, environment))
                        .addSubcommand(new RelayCheckCommand(output, environment))
                        .addSubcommand(new RelayDropCommand(output, environment)))
                .setOut(new PrintWriter(output, true, StandardCharsets.UTF_8))
                .setParameterExceptionHandler((failure, arguments) -> {
                    CommandLine command = failure.getCommandLine();
                    command.getErr().println("usher: " + failure.getMessage());
                    UnmatchedArgumentException.printSuggestions(failure, command.getErr());
                    command.getErr().println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
                    return CommandLine.ExitCode.USAGE;
                })
                .setExecutionExceptionHandler((failure, command, arguments) -> {
                    if (!(failure instanceof CommandException)) {
                        throw failure;
                    }
                    LoggerFactory.getLogger(UsherCommand.class).debug("The command failed", failure);
                    command.getErr().println("usher: " + failure.getMessage());
                    return CommandLine.ExitCode.SOFTWARE;
                });
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }

    /** The version in the jar's manifest. */
    static final class Version implements CommandLine.IVersionProvider {

        @Override
        public String[] getVersion() {
            String version = UsherCommand.class.getPackage().getImplementationVersion();
            return new String[] {"usher " + (version == null ? "(not packaged)" : version)};
        }
    }
}
