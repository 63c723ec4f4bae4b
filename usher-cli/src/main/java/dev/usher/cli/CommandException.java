package dev.usher.cli;

/** Ends the command with one line of error output, and without a stack trace. It quotes no password. */
final class CommandException extends RuntimeException {

    CommandException(String line) {
        super(line);
    }

    CommandException(String line, Throwable cause) {
        super(line, cause);
    }
}
