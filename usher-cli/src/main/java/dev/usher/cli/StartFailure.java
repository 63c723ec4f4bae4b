package dev.usher.cli;

import java.util.Locale;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;

/** Why an application of Spring Boot did not start, in a line. */
final class StartFailure {

    private StartFailure() {}

    /**
     * The line. It names the variable of a setting that cannot be used.
     *
     * @param what what has happened, before the reason
     */
    static CommandException of(String what, RuntimeException failure) {
        Throwable root = failure;
        String setting = "";
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof CommandException known) {
                return known;
            }
            if (cause instanceof BindException binding) {
                setting = "the setting " + named(String.valueOf(binding.getName())) + ": ";
            }
            if (cause instanceof InvalidConfigurationPropertyValueException invalid) {
                return new CommandException(
                        what + "the setting " + named(invalid.getName()) + " is "
                                + (invalid.getValue() == null ? "missing" : "'" + invalid.getValue() + "'") + ": "
                                + invalid.getReason(),
                        failure);
            }
            root = cause;
        }
        String why = root.getMessage() == null ? root.getClass().getName() : root.getMessage();
        return new CommandException(what + setting + why, failure);
    }

    private static String named(String property) {
        return property + " ("
                + property.toUpperCase(Locale.ROOT).replace('.', '_').replace('-', '_') + ")";
    }
}
