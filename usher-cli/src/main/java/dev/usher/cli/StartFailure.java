package dev.usher.cli;

import org.springframework.boot.context.properties.bind.BindException;

/** Why an application of Spring Boot did not start, in a line. */
final class StartFailure {

    private StartFailure() {}

    /**
     * The line.
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
                setting = "the setting " + binding.getName() + ": ";
            }
            root = cause;
        }
        String why = root.getMessage() == null ? root.getClass().getName() : root.getMessage();
        return new CommandException(what + setting + why, failure);
    }
}
