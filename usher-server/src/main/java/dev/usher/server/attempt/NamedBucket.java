package dev.usher.server.attempt;

import io.github.bucket4j.BucketConfiguration;

/**
 * A token bucket. One that is not stored is full.
 *
 * @param key its name
 * @param size how many tokens it holds, and how fast it fills
 */
record NamedBucket(String key, BucketConfiguration size) {}
