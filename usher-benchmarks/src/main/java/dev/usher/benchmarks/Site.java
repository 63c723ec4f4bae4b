package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.UserSource;

/**
 * Where a contender stands.
 *
 * @param redisUri its Redis, perhaps behind a proxy, as {@code redis://127.0.0.1:6379}
 * @param source where it loads from what it does not know
 * @param nearSize how many users it may remember in the memory of its process, at least one
 */
record Site(String redisUri, UserSource<Long, UserProfile> source, int nearSize) {}
