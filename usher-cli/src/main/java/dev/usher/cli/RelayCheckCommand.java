package dev.usher.cli;

import dev.usher.relay.ChangeFeed;
import dev.usher.relay.ChangeFeedException;
import java.io.PrintStream;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.springframework.context.ConfigurableApplicationContext;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Looks whether a relay could follow, and changes nothing. */
@Command(
        name = "check",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = {
            "Look whether a relay with these variables could follow, and change nothing. If something is missing, the command"
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
                ChangeFeed.Session session = context.getBean(ChangeFeed.class).open()) {
            session.check();
            ChangeFeed.Standing standing = session.standing();
            line("Database", RunningRelay.databaseOf(context) + "  is ready");
            line(
                    "Position",
                    standing.place() == null
                            ? "none yet: the relay makes one, and flushes everything (" + standing.detail() + ")"
                            : standing.place() + ", for which " + standing.retained() + " bytes of the log are kept ("
                                    + standing.detail() + ")");
        } catch (ChangeFeedException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
        String redis = ServerSettings.of(environment).redisUri();
        if (redis == null) {
            throw new CommandException("name the Redis of the fleet with " + ServerSettings.REDIS_URI);
        }
        Preflight.requireRedis(redis);
        line("Redis", MaskedUri.of(redis) + "  answers");
        return CommandLine.ExitCode.OK;
    }

    private void line(String what, String value) {
        output.printf(Locale.ROOT, "%-15s%s%n", what, value);
    }
}
