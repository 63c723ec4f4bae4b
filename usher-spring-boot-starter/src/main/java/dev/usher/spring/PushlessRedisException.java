package dev.usher.spring;

/** Redis speaks RESP2 only, and so cannot push invalidations. */
final class PushlessRedisException extends IllegalStateException {

    private static final long serialVersionUID = 1L;

    PushlessRedisException() {
        super("Redis speaks RESP2 only, which has no push messages for changes");
    }
}
