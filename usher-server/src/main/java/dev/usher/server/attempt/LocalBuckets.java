package dev.usher.server.attempt;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.github.bucket4j.Bucket;
import io.github.bucket4j.ConsumptionProbe;
import io.github.bucket4j.TimeMeter;
import io.github.bucket4j.local.LocalBucketBuilder;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/** Buckets in the memory of this node. Thread-safe. */
final class LocalBuckets {

    private static final int MAX_BUCKETS = 100_000;

    private final TimeMeter time;
    private final Cache<String, Bucket> buckets;

    /**
     * No buckets yet.
     *
     * @param window after which an unused bucket is full again
     */
    LocalBuckets(TimeMeter time, Duration window) {
        this.time = time;
        this.buckets = Caffeine.newBuilder()
                .maximumSize(MAX_BUCKETS)
                .expireAfterAccess(window)
                .build();
    }

    /**
     * Takes a token from each of some buckets, in their order, or from none of them.
     *
     * @return zero when the tokens are taken, or the time until the empty bucket has a token
     */
    Duration take(List<NamedBucket> wanted) {
        for (int i = 0; i < wanted.size(); i++) {
            Duration wait = take(wanted.get(i), 1);
            if (!wait.isZero()) {
                giveBack(wanted.subList(0, i));
                return wait;
            }
        }
        return Duration.ZERO;
    }

    /**
     * Takes some tokens from a bucket, or none.
     *
     * @param tokens no more than the bucket holds when it is full
     * @return zero when the tokens are taken, or the time until the bucket has as many
     */
    Duration take(NamedBucket wanted, int tokens) {
        ConsumptionProbe probe = bucket(wanted).tryConsumeAndReturnRemaining(tokens);
        return probe.isConsumed() ? Duration.ZERO : Duration.ofNanos(probe.getNanosToWaitForRefill());
    }

    /** Puts a token into each of some buckets, as far as there is room. */
    void giveBack(List<NamedBucket> taken) {
        taken.forEach(named -> bucket(named).addTokens(1));
    }

    private Bucket bucket(NamedBucket named) {
        return buckets.get(named.key(), key -> {
            LocalBucketBuilder bucket = Bucket.builder().withCustomTimePrecision(time);
            Arrays.stream(named.size().getBandwidths()).forEach(bucket::addLimit);
            return bucket.build();
        });
    }
}
