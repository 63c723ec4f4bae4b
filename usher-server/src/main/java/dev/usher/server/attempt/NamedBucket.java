package dev.usher.server.attempt;

import io.github.bucket4j.BucketConfiguration;

/**
 * A bucket of tokens. Where there is none of its name, it is full.
 *
 * @param key its name
 * @param size how many tokens it holds, and how fast it fills
 */
record NamedBucket(String key, BucketConfiguration size) {}
