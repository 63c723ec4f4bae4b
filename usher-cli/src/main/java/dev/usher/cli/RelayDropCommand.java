package dev.usher.cli;

import dev.usher.relay.ChangeFeed;
import dev.usher.relay.ChangeFeedException;
import java.io.PrintStream;
import java.util.Map;
import java.util.concurrent.Callable;
import org.springframework.context.ConfigurableApplicationContext;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** Removes from the database what the relay needs there. */
@Command(
        name = "drop",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = {
            "Remove the relay's replication slot and publication from the database that USHER_DATABASE_URL names, as"
                    + " USHER_DATABASE_USERNAME, who has to own the publication and to have REPLICATION, or to be a superuser."
                    + " If a right is missing, the command prints what is left, and the SQL for it.",
            "Stop the servers first, or switch their relay off. What is not there is no error. USHER_RELAY_SLOT and"
                    + " USHER_RELAY_PUBLICATION name others than 'usher'."
        })
final class RelayDropCommand implements Callable<Integer> {

    private final PrintStream output;
    private final Map<String, String> environment;

    RelayDropCommand(PrintStream output, Map<String, String> environment) {
        this.output = output;
        this.environment = environment;
    }

    @Override
    public Integer call() {
        try (ConfigurableApplicationContext context = RunningRelay.idle(environment)) {
            context.getBean(ChangeFeed.class).drop();
        } catch (ChangeFeedException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
        output.println("What the relay needed in the database is gone.");
        return CommandLine.ExitCode.OK;
    }
}
