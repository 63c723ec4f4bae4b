package dev.usher;

/** Whether a node believes its Redis, as it does not for two seconds after a start. */
public final class RedisBelief {

    private RedisBelief() {}

    /** Whether what Redis says of statuses is believed. */
    public static boolean isGiven(UserCaches caches) {
        return caches.engine()
                .shared()
                .isBelieved(
                        "user:0:status",
                        UserStatus.FACET.policy().stalenessBound().toNanos());
    }
}
