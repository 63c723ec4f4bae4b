package dev.usher.cli;

import static dev.usher.cli.CallTable.count;

import dev.usher.spring.RedisEndpoint;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.springframework.jdbc.core.simple.JdbcClient;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Starts the server, and shows with many users how many queries the caches save. */
@Command(
        name = "demo",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = {
            "Start the server on a free port, register users, log them in and read them back many times, and show what"
                    + " was answered from where, how fast, and with how many SQL queries.",
            "On a database or a Redis that was named, it removes its users again."
        })
final class DemoCommand implements Callable<Integer> {

    private static final int CALLERS_PER_PROCESSOR = 4;
    private static final int INTERRUPTED = 130;

    private final PrintStream output;
    private final Map<String, String> environment;

    @Option(
            names = "--users",
            paramLabel = "N",
            defaultValue = "1000",
            converter = UserCount.class,
            description = "How many users, 1 to 100000; ${DEFAULT-VALUE} by default.")
    private int users;

    DemoCommand(PrintStream output, Map<String, String> environment) {
        this.output = output;
        this.environment = environment;
    }

    @Override
    public Integer call() {
        ServerSettings settings = ServerSettings.of(environment).withPort(0);
        if (settings.databaseUrl() != null) {
            Preflight.requireDatabase(settings.databaseUrl(), settings);
        }
        DemoUsers crowd = new DemoUsers(users);
        StatementCounter statements = new StatementCounter();
        try (RunningServer server =
                RunningServer.start(settings, Map.of(), overrides(crowd), List.of(statements, new CheapPasswords()))) {
            try {
                return run(server, settings, statements, crowd);
            } catch (CommandException e) {
                if (server.isClosing()) {
                    return INTERRUPTED;
                }
                throw e;
            }
        }
    }

    private int run(RunningServer server, ServerSettings settings, StatementCounter statements, DemoUsers crowd) {
        if (settings.redisUri() != null) {
            Preflight.requireRedis(server.context().getBean(RedisEndpoint.class), server.redis());
        }
        int callers = CALLERS_PER_PROCESSOR * Runtime.getRuntime().availableProcessors();
        Demo demo = new Demo(server, statements, crowd, callers);
        server.beforeEnd(() -> {
            demo.end();
            remove(demo, server, settings, crowd);
        });
        output.printf(Locale.ROOT, "%s users, %d callers at once, over HTTP%n%n", count(users), callers);
        output.printf(
                Locale.ROOT,
                "API       %s%nRedis     %s%nDatabase  %s%n",
                server.address(),
                server.redis(),
                server.database());
        output.printf(
                Locale.ROOT,
                "Passwords are hashed with bcrypt at cost %d, not 10: the demo does not measure bcrypt.%n%n",
                CheapPasswords.COST);
        PrintStream errors = System.err;
        List<CallRow> rows;
        try (Progress progress = Progress.of(demo.steps(), errors)) {
            rows = demo.run(progress);
        }
        CallTable.print(rows, output);
        output.println(
                "From memory, Redis, SQL: look-ups. A call with a token looks up three things: whether the caller may");
        output.println(
                "act (status), roles and what ends the token (access), and a profile. A login puts all into Redis.");
        output.println();
        demo.findings().forEach(output::println);
        if (demo.findings().stream().allMatch(Finding::holds)) {
            return CommandLine.ExitCode.OK;
        }
        throw new CommandException("the demo did not see everything that it claims");
    }

    /** They keep the demo apart from other data in the same Redis and database. */
    private static Map<String, Object> overrides(DemoUsers crowd) {
        return Map.ofEntries(
                Map.entry(
                        "usher.key-prefix", "usher-demo-" + crowd.mobilePrefix().substring(1)),
                // The demo starts one of its own. On a database that was named, it leaves the position of the fleet's
                // relay alone.
                Map.entry("usher.relay.enabled", "false"),
                // The first calls of a JVM, and all calls on a busy machine, can take longer than the default.
                Map.entry("usher.redis.command-timeout", "10s"),
                Map.entry("usher.server.token-ttl", "12h"),
                // All of them come from one address.
                Map.entry("usher.server.attempts.registrations-per-address", "0"),
                // On a machine with many processors there are more callers than may wait by default.
                Map.entry("usher.server.passwords.max-waiting", "1000"),
                Map.entry("server.address", "127.0.0.1"),
                Map.entry(GeneratedAdministrator.MOBILE_SETTING, ""));
    }

    private static void remove(Demo demo, RunningServer server, ServerSettings settings, DemoUsers crowd) {
        if (settings.databaseUrl() != null) {
            server.context()
                    .getBean(JdbcClient.class)
                    .sql("DELETE FROM users WHERE mobile LIKE ?")
                    .param(crowd.mobilePrefix() + "%")
                    .update();
        }
        if (settings.redisUri() != null) {
            demo.forgetAll();
        }
    }
}
