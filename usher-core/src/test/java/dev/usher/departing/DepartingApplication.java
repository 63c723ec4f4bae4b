package dev.usher.departing;

import dev.usher.Facet;
import dev.usher.FacetCodec;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Asks its caches for values of its own classes, then closes them. */
public final class DepartingApplication implements Runnable {

    private final String redis;

    /** An application. */
    public DepartingApplication(String redis) {
        this.redis = redis;
    }

    record Badge(String name) {}

    record Badges(int karma, List<Badge> badges) {}

    /** A value that cannot be cached. */
    static class Bean {
        public String name = "";
    }

    @Override
    public void run() {
        try (UserCaches caches = UserCaches.builder()
                .redis(redis)
                .commandTimeout(Duration.ofSeconds(2))
                .build()) {
            Badges value = new Badges(7, List.of(new Badge("early")));
            UserCache<Long, Badges> badges =
                    caches.cache(Facet.of("badges", Badges.class), Long.class, ids -> Map.of(42L, value));
            UserCache<Long, Bean> beans =
                    caches.cache(Facet.of("beans", Bean.class), Long.class, ids -> Map.of(42L, new Bean()));
            UserCache<Long, Badges> own = caches.cache(
                    new Facet<>(
                            "own", FacetCodec.json(Badges.class), badges.facet().policy()),
                    Long.class,
                    ids -> Map.of(42L, value));
            // Not compared by equals: the JDK holds the last record class whose equals was called.
            boolean found = isIt(badges.find(42L))
                    && isIt(badges.findAsync(42L).join())
                    && isIt(Optional.ofNullable(badges.findAll(List.of(42L)).get(42L)))
                    && isIt(own.find(42L))
                    && beans.find(42L).isPresent();
            badges.invalidate(42L);
            if (!found) {
                throw new IllegalStateException("the values were not found");
            }
        }
    }

    private static boolean isIt(Optional<Badges> found) {
        return found.orElseThrow().badges().get(0).name().equals("early");
    }
}
