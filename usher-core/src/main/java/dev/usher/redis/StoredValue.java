package dev.usher.redis;

import org.jspecify.annotations.Nullable;

/**
 * What was read under one of several keys.
 *
 * @param bytes {@code null} when there is nothing, or something else than a string
 * @param refusal how the server has refused this key alone, as one of a Cluster does that has it no more; else {@code null}
 */
@SuppressWarnings("ArrayRecordComponent")
public record StoredValue(byte @Nullable [] bytes, @Nullable Throwable refusal) {

    private static final StoredValue NOTHING = new StoredValue(null, null);

    static StoredValue of(byte @Nullable [] bytes) {
        return bytes == null ? NOTHING : new StoredValue(bytes, null);
    }

    /** Whether it is not known what stands under the key. */
    public boolean isRefused() {
        return refusal != null;
    }
}
