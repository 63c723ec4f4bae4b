package dev.usher;

import org.jspecify.annotations.Nullable;

/** What stands in Redis under a value's key is not a value. It never quotes what stands there, and has no stack trace. */
final class UnreadableEntryException extends Exception {

    private static final long serialVersionUID = 1L;

    /** The bytes that could not be decoded, or {@code null} when there is something else than a string. */
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
