package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.UserSource;

/**
 * The servers and the limits that a contender is opened with.
 *
 * @param redisUri its Redis, perhaps behind a proxy, as {@code redis://127.0.0.1:6379}
 * @param source the source it loads missing users from
 * @param nearSize how many users it may cache in the memory of its process, at least one
 */
record Site(String redisUri, UserSource<Long, UserProfile> source, int nearSize) {}
