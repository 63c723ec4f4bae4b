package dev.usher;

import org.jspecify.annotations.Nullable;

/** The content of a value's key in Redis is not a value. The message never quotes the content, and there is no stack trace. */
final class UnreadableEntryException extends Exception {

    private static final long serialVersionUID = 1L;

    /** The bytes that could not be decoded, or {@code null} when the key does not hold a string. */
    @SuppressWarnings("ArrayRecordComponent")
    private final transient byte @Nullable [] bytes;

    UnreadableEntryException(String reason, byte @Nullable [] bytes) {
        super(reason, null, false, false);
        this.bytes = bytes;
    }

    byte @Nullable [] bytes() {
        return bytes;
    }
}
