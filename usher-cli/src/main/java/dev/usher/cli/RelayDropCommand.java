package dev.usher.cli;

import dev.usher.relay.BinlogChangeFeed;
import dev.usher.relay.ChangeFeed;
import dev.usher.relay.ChangeFeedException;
import java.io.PrintStream;
import java.util.Locale;
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
            "Stop all relays first: one that runs makes its slot anew.",
            "Remove from the database what the relay needs there: in PostgreSQL the replication slot and the publication,"
                    + " with USHER_RELAY_FEED=table the triggers and the tables that they fill; in MariaDB and MySQL"
                    + " nothing else is there.",
            "It acts on the database of USHER_RELAY_URL as USHER_RELAY_USERNAME, where these are set, otherwise on that of"
                    + " USHER_DATABASE_URL as USHER_DATABASE_USERNAME, and prints both first. The role has to own the"
                    + " publication and to have REPLICATION, or to own the table, or to be a superuser. If a right is"
                    + " missing, the command prints what is left, and the SQL for it. What is not there is no error."
                    + " USHER_RELAY_SLOT and USHER_RELAY_PUBLICATION name others than 'usher'."
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
            ChangeFeed feed = RunningRelay.bean(context, ChangeFeed.class);
            if (feed instanceof BinlogChangeFeed) {
                output.println(
                        "Nothing is to be dropped: the binlog is the server's own, and only the role of the relay is left.");
                return CommandLine.ExitCode.OK;
            }
            line("Database", String.valueOf(RunningRelay.databaseOf(context)));
            line("Role", String.valueOf(RunningRelay.roleOf(context)));
            feed.drop();
        } catch (ChangeFeedException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        }
        output.println("What the relay needed in the database is gone.");
        return CommandLine.ExitCode.OK;
    }

    private void line(String what, String value) {
        output.printf(Locale.ROOT, "%-15s%s%n", what, value);
    }
}
