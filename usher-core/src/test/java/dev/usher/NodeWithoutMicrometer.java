package dev.usher;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** A process that reads one user, and says what it has read and from where. */
final class NodeWithoutMicrometer {

    private NodeWithoutMicrometer() {}

    /** Arguments: the URI of Redis. */
    public static void main(String[] args) {
        try {
            Class.forName("io.micrometer.core.instrument.MeterRegistry");
            System.out.println("Micrometer is there");
            return;
        } catch (ClassNotFoundException e) {
            // As it should be.
        }
        try (UserCaches caches = UserCaches.builder().redis(args[0]).build()) {
            UserCache<Long, String> names = caches.cache(
                    Facet.of("name", String.class),
                    Long.class,
                    ids -> ids.stream().collect(Collectors.toMap(id -> id, id -> "user " + id)));
            names.find(42L);
            names.invalidate(42L);
            Map<Long, String> found = names.findAll(List.of(42L, 43L));
            CacheStats stats = names.stats();
            System.out.println(found + ", loaded: " + stats.loadedUsers() + ", well: "
                    + (caches.health().redis() == CachesHealth.Redis.ANSWERING));
        }
    }
}
