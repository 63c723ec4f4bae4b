package dev.usher.server.attempt;

import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.token.Caller;
import io.github.bucket4j.BucketConfiguration;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Collection;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/**
 * Limits how many profiles of others a caller may read: a token bucket for each caller, in the memory of this node. Administrators are not
 * limited. Thread-safe.
 */
@Component
public final class ReadLimits {

    private final int perCaller;
    private final BucketConfiguration size;
    private final LocalBuckets buckets;

    @Autowired
    ReadLimits(UsherServerProperties properties, InstantSource clock) {
        this(properties.reads(), clock);
    }

    ReadLimits(UsherServerProperties.Reads limits, InstantSource clock) {
        this.perCaller = limits.perCaller();
        this.size = BucketConfiguration.builder()
                .addLimit(limit ->
                        limit.capacity(Math.max(1, perCaller)).refillGreedy(Math.max(1, perCaller), limits.window()))
                .build();
        this.buckets = new LocalBuckets(new WallClock(clock), limits.window());
    }

    /**
     * Counts a read before it is made, whether these users exist or not.
     *
     * @param ids count once each; the id of the caller does not count
     * @throws ProblemException when the limit is reached
     */
    public void count(Caller caller, Collection<Long> ids) {
        if (perCaller == 0 || caller.administrator()) {
            return;
        }
        int others =
                (int) ids.stream().filter(id -> id != caller.id()).distinct().count();
        if (others > 0) {
            Duration wait = buckets.take(new NamedBucket(Long.toString(caller.id()), size), others);
            if (!wait.isZero()) {
                throw ProblemException.tooManyReads(wait);
            }
        }
    }
}
