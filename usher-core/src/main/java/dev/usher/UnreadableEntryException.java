package dev.usher;

/** The content of a value's key in Redis is not a value. The message never quotes the content, and there is no stack trace. */
final class UnreadableEntryException extends Exception {

    private static final long serialVersionUID = 1L;

    UnreadableEntryException(String reason) {
        super(reason, null, false, false);
    }
}
