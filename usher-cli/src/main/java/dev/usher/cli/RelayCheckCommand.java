package dev.usher.cli;

import dev.usher.relay.ChangeFeed;
import dev.usher.relay.ChangeFeedException;
import dev.usher.spring.RedisEndpoint;
import java.io.PrintStream;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.springframework.context.ConfigurableApplicationContext;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Checks whether a relay could follow, and changes nothing. */
@Command(
        name = "check",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = {
            "Check whether a relay with these variables could follow, and change nothing. If something is missing, the command"
                    + " prints the SQL for it, and ends with 1."
        })
final class RelayCheckCommand implements Callable<Integer> {

    private final PrintStream output;
    private final Map<String, String> environment;

    RelayCheckCommand(PrintStream output, Map<String, String> environment) {
        this.output = output;
        this.environment = environment;
    }

    @Override
    public Integer call() {
        try (ConfigurableApplicationContext context = RunningRelay.idle(environment);
                ChangeFeed.Session session = feed(context).open()) {
            session.check();
            ChangeFeed.Standing standing = session.standing();
            line("Database", RunningRelay.databaseOf(context) + "  is ready");
            line(
                    "Position",
                    standing.place() == null
                            ? "none yet: the relay makes one, and flushes everything (" + standing.detail() + ")"
                            : standing.place() + ", for which " + standing.retained() + " bytes of the log are kept ("
                                    + standing.detail() + ")");
            String redis = RunningRelay.redisOf(context);
            Preflight.requireRedis(RunningRelay.bean(context, RedisEndpoint.class), redis);
            line("Redis", redis + "  answers");
        } catch (ChangeFeedException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
        return CommandLine.ExitCode.OK;
    }

    /** All settings are read before anything is asked. */
    private static ChangeFeed feed(ConfigurableApplicationContext context) {
        RunningRelay.requireRedis(context);
        var unused = RunningRelay.facetsOf(context);
        RunningRelay.requireKeyPrefix(context);
        var unusedToo = RunningRelay.bean(context, RedisEndpoint.class);
        return RunningRelay.bean(context, ChangeFeed.class);
    }

    private void line(String what, String value) {
        output.printf(Locale.ROOT, "%-15s%s%n", what, value);
    }
}
