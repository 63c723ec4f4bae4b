package dev.usher.spring;

import dev.usher.CacheStats;
import dev.usher.CachesHealth;
import dev.usher.UserCache;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;
import org.springframework.boot.actuate.endpoint.InvalidEndpointRequestException;
import org.springframework.boot.actuate.endpoint.annotation.DeleteOperation;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.Selector;

/**
 * The caches for an operator: their statistics, what they hold of a user, and the invalidation of a user.
 *
 * <p>Values are shown as in {@link CacheView}: without mobile numbers, and without the values of an application's own facets.
 */
@Endpoint(id = "usher")
final class UsherEndpoint {

    private final Supplier<CachesHealth> health;
    private final SortedMap<String, UserCache<?, ?>> caches = new TreeMap<>();

    /**
     * An endpoint.
     *
     * @param caches of all facets
     */
    UsherEndpoint(Supplier<CachesHealth> health, Iterable<UserCache<?, ?>> caches) {
        this.health = health;
        caches.forEach(cache -> this.caches.put(cache.facet().name(), cache));
    }

    /** The health and the statistics of the caches. */
    @ReadOperation
    Summary summary() {
        return new Summary(health.get(), ofEach(UserCache::stats));
    }

    /** What each facet holds of a user. The call queries the source. */
    @ReadOperation
    Map<String, CacheView> explain(@Selector String id) {
        return ofEach(cache -> explain(cache, id));
    }

    /**
     * Makes every node forget a user, in all facets at once. The result tells whether Redis has confirmed it; if not, it is
     * sent again until Redis does.
     */
    @DeleteOperation
    Map<String, Invalidation> invalidate(@Selector String id) {
        // Every cache parses the id before the first invalidation: an invalid id changes nothing.
        ofEach(cache -> idOf(cache, id));
        // One cache is enough: the caches of an application share one UserCaches.
        boolean confirmed = caches.values().stream().limit(1).allMatch(cache -> forget(cache, id));
        return ofEach(cache -> new Invalidation(confirmed));
    }

    private <T> SortedMap<String, T> ofEach(Function<UserCache<?, ?>, T> answer) {
        SortedMap<String, T> answers = new TreeMap<>();
        caches.forEach((facet, cache) -> answers.put(facet, answer.apply(cache)));
        return answers;
    }

    private static <K> CacheView explain(UserCache<K, ?> cache, String id) {
        return CacheView.of(cache.explain(idOf(cache, id)));
    }

    private static <K> boolean forget(UserCache<K, ?> cache, String id) {
        return cache.forget(idOf(cache, id));
    }

    private static <K> K idOf(UserCache<K, ?> cache, String text) {
        try {
            return cache.idOf(text);
        } catch (IllegalArgumentException e) {
            String reason = "The id cannot be one of this application's users: " + e.getMessage();
            throw new InvalidEndpointRequestException(reason, reason);
        }
    }

    /**
     * A summary of the caches.
     *
     * @param health the health of the caches
     * @param facets the statistics of the cache of each facet
     */
    record Summary(CachesHealth health, Map<String, CacheStats> facets) {}

    /**
     * The result of an invalidation.
     *
     * @param confirmed whether Redis has confirmed the invalidations of all facets; otherwise some are still to be sent
     */
    record Invalidation(boolean confirmed) {}
}
