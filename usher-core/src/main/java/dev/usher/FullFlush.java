package dev.usher;

import dev.usher.redis.Deadline;
import dev.usher.redis.KeySpace;
import dev.usher.redis.RedisPrimary;
import dev.usher.redis.SharedTier;
import dev.usher.redis.StoredKeys.Keys;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Fences all that one primary holds of some facets, values and guards, so that what was read before some changes is gone and cannot
 * come any more, although their keys are not known.
 *
 * <p>It goes through the primary twice. The first pass ends every claim from before the changes. The second one, which begins when
 * no row from before them can be offered any more, finds what was filled or offered during the first. Nothing else is
 * touched.
 *
 * <p>No thread waits for an answer.
 */
final class FullFlush {

    /** A Redis that is silent for longer fails the flush. */
    private static final Duration LONGEST_STEP = Duration.ofSeconds(30);

    private static final Pattern SPECIAL_IN_PATTERNS = Pattern.compile("[*?\\[\\]\\\\]");

    /** An id that is fenced to show that a primary takes fences; followed by a number, for a primary that does not have its slot. */
    private static final String NO_USER = "-";

    private final SharedTier shared;
    private final RedisPrimary primary;
    private final ScheduledExecutorService scheduler;
    private final Overflow overflow;
    private final Duration offersEnd;
    private final List<KeySpace> spaces;

    /** What the names of values and of guards have in common. */
    private final String pattern;

    /**
     * A flush.
     *
     * @param keyPrefix what all keys begin with
     * @param overflow the changes
     * @param offersEnd for how long after a change a row from before it may be offered
     */
    FullFlush(
            SharedTier shared,
            RedisPrimary primary,
            ScheduledExecutorService scheduler,
            String keyPrefix,
            Overflow overflow,
            Duration offersEnd) {
        this.shared = shared;
        this.primary = primary;
        this.scheduler = scheduler;
        this.overflow = overflow;
        this.offersEnd = offersEnd;
        this.spaces = overflow.facets().stream()
                .map(facet -> new KeySpace(keyPrefix, facet))
                .toList();
        this.pattern = "*" + SPECIAL_IN_PATTERNS.matcher(keyPrefix).replaceAll("\\\\$0") + ":*";
    }

    /**
     * Flushes.
     *
     * @return completed at the end; failed when anything has, and then all is to be done again
     */
    CompletableFuture<?> run() {
        return Futures.of(this::fenceOne)
                .thenComposeAsync(done -> fenceFrom(Keys.START), scheduler)
                .thenCompose(done -> offersEnd())
                .thenComposeAsync(done -> fenceFrom(Keys.START), scheduler)
                .thenCompose(done -> fenceOne());
    }

    /** Shows that this primary takes fences, even where it holds nothing: a replica may be scanned all the same. */
    private CompletableFuture<Void> fenceOne() {
        return fence(Set.of(shared.keyOn(primary, i -> spaces.get(0).keyOf(i == 0 ? NO_USER : NO_USER + i))));
    }

    /** One pass: whatever is there from its beginning to its end is found. */
    private CompletableFuture<Void> fenceFrom(String cursor) {
        return Deadline.of(primary.scan(cursor, pattern), LONGEST_STEP, scheduler)
                .thenCompose(found -> fence(ours(found.names()))
                        .thenComposeAsync(
                                done -> found.isLast()
                                        ? CompletableFuture.<Void>completedFuture(null)
                                        : fenceFrom(found.cursor()),
                                scheduler));
    }

    private Set<String> ours(List<String> names) {
        return names.stream()
                .map(KeySpace::guarded)
                .filter(key -> spaces.stream().anyMatch(space -> space.contains(key)))
                .collect(Collectors.toSet());
    }

    private CompletableFuture<Void> fence(Collection<String> keys) {
        return Deadline.of(
                CompletableFuture.allOf(keys.stream().map(shared::sendFence).toArray(CompletableFuture[]::new)),
                LONGEST_STEP,
                scheduler);
    }

    private CompletableFuture<Void> offersEnd() {
        CompletableFuture<Void> end = new CompletableFuture<>();
        long left = overflow.last() + offersEnd.toNanos() - System.nanoTime();
        var unused = scheduler.schedule(() -> end.complete(null), left, TimeUnit.NANOSECONDS);
        return end;
    }
}
