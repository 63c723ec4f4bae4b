package dev.usher.server;

import io.github.bucket4j.BucketConfiguration;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Buckets of tokens, by name: where there is none, it is full. Thread-safe. */
interface Buckets {

    /**
     * A bucket.
     *
     * @param key its name
     * @param size how many tokens it holds, and how fast it fills
     */
    record Named(String key, BucketConfiguration size) {}

    /**
     * Takes a token from each of some buckets, in their order, or from none of them.
     *
     * @return zero when that is done; how long it will take to fill, when one is empty; or {@code null} when nobody knows
     */
    @Nullable Duration take(List<Named> buckets);

    /** Puts a token into each of some buckets, as far as there is room. */
    void giveBack(List<Named> buckets);
}
