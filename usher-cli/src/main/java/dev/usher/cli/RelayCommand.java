package dev.usher.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What concerns the change relay of the server. By itself it prints its help. */
@Command(
        name = "relay",
        mixinStandardHelpOptions = true,
        versionProvider = UsherCommand.Version.class,
        description = "The change relay, which the server runs with USHER_RELAY_ENABLED=true.",
        synopsisSubcommandLabel = "COMMAND")
final class RelayCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
    }
}
