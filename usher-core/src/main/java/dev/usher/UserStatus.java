package dev.usher;

import java.time.Duration;

/**
 * Whether a user may act, as the specification has it: {@code 1} or {@code 0} in {@code user:{id}:status}.
 */
public enum UserStatus {
    /** The user may act: {@code 1}. */
    ENABLED(1),
    /** The user may not act: {@code 0}. */
    DISABLED(0);

    /**
     * {@code user:{id}:status}, for up to 60 minutes, never older than 1 s without asking Redis, and unavailable when no tier and
     * not the source can answer: no user is let in on a guess. Another {@link CachePolicy#serveStaleFor} lets the last known status stand for as long.
     */
    public static final Facet<UserStatus> FACET = new Facet<UserStatus>(
                    "status",
                    new StatusCodec(),
                    CachePolicy.builder()
                            .ttl(Duration.ofMinutes(60))
                            .stalenessBound(Duration.ofSeconds(1))
                            .serveStaleFor(Duration.ZERO)
                            .build())
            .refusing(status -> status == DISABLED);

    private final int code;

    UserStatus(int code) {
        this.code = code;
    }

    /** The number that stands for this status in Redis and in the database. */
    public int code() {
        return code;
    }

    /**
     * The status that a number stands for.
     *
     * @param code 1 or 0
     * @return the status
     * @throws IllegalArgumentException for any other number: nothing but 1 ever means enabled
     */
    public static UserStatus of(int code) {
        return switch (code) {
            case 1 -> ENABLED;
            case 0 -> DISABLED;
            default -> throw new IllegalArgumentException("a status is 1 or 0, but this is " + code);
        };
    }
}
