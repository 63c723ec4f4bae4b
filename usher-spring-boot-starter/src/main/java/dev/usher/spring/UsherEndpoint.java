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
 * The caches as an operator sees them: what they have done, what they hold of a user, and a way to make them forget one.
 *
 * <p>What they hold is shown as in {@link CacheView}: without a mobile number, and without the values of an application's own
 * facets.
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

    /** How the caches are doing, and what they have done. */
    @ReadOperation
    Summary summary() {
        return new Summary(health.get(), ofEach(UserCache::stats));
    }

    /** What each facet holds of a user. It asks the source. */
    @ReadOperation
    Map<String, CacheView> explain(@Selector String id) {
        return ofEach(cache -> explain(cache, id));
    }

    /** Makes every node forget a user, in all facets at once. Whether Redis has confirmed it; if not, it is sent until it has. */
    @DeleteOperation
    Map<String, Invalidation> invalidate(@Selector String id) {
        // All are asked before the first is told: an id that is none changes nothing.
        ofEach(cache -> idOf(cache, id));
        // Through one of them, for the caches of an application are of one UserCaches.
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
     * The caches at a glance.
     *
     * @param health how they are doing
     * @param facets what the cache of each facet has done
     */
    record Summary(CachesHealth health, Map<String, CacheStats> facets) {}

    /**
     * What has become of an invalidation.
     *
     * @param confirmed whether Redis has taken those of all facets; otherwise some are still to be sent
     */
    record Invalidation(boolean confirmed) {}
}
