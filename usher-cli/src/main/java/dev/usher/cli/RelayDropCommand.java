package dev.usher.cli;

import dev.usher.relay.ChangeFeedException;
import dev.usher.relay.PostgresChangeFeed;
import dev.usher.relay.WatchedTable;
import java.io.PrintStream;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
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
        ServerSettings settings = ServerSettings.of(environment);
        String url = settings.databaseUrl();
        if (url == null) {
            throw new CommandException("name the database with " + ServerSettings.DATABASE_URL);
        }
        PostgresChangeFeed.Builder feed = PostgresChangeFeed.builder();
        try {
            feed.url(url).watch(WatchedTable.of("users", "id"));
            if (settings.username() != null) {
                feed.user(settings.username());
            }
            if (settings.password() != null) {
                feed.password(settings.password());
            }
            String slot = set("USHER_RELAY_SLOT");
            if (slot != null) {
                feed.slot(slot);
            }
            String publication = set("USHER_RELAY_PUBLICATION");
            if (publication != null) {
                feed.publication(publication);
            }
            feed.build().drop();
        } catch (ChangeFeedException | IllegalArgumentException e) {
            throw new CommandException(String.valueOf(e.getMessage()), e);
        } catch (IllegalStateException e) {
            throw new CommandException("name the user of the database with " + ServerSettings.DATABASE_USERNAME, e);
        }
        output.println("The relay's slot and publication are gone.");
        return 0;
    }

    private @Nullable String set(String variable) {
        String value = environment.get(variable);
        return value == null || value.isBlank() ? null : value;
    }
}
