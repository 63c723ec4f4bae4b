package dev.usher.redis;

import java.math.BigInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How Redis makes room when its memory is full.
 *
 * @param policy the {@code maxmemory-policy}
 * @param maxMemory in bytes; 0 for no limit
 */
record Eviction(String policy, long maxMemory) {

    private static final BigInteger MAX = BigInteger.valueOf(Long.MAX_VALUE);
    private static final Pattern POLICY = Pattern.compile("^maxmemory_policy:(\\S+)", Pattern.MULTILINE);
    private static final Pattern MAX_MEMORY = Pattern.compile("^maxmemory:(\\d{1,20})", Pattern.MULTILINE);

    /** Parses the memory section of {@code INFO}; {@code null} when it does not name the policy. */
    static @Nullable Eviction parse(String info) {
        Matcher policy = POLICY.matcher(info);
        Matcher maxMemory = MAX_MEMORY.matcher(info);
        return policy.find() && maxMemory.find()
                // Redis counts to 2^64.
                ? new Eviction(
                        policy.group(1),
                        new BigInteger(maxMemory.group(1)).min(MAX).longValueExact())
                : null;
    }

    /** Whether Redis may evict a guard that was written a moment ago, long before values that are read all the time. */
    boolean takesYoungGuards() {
        return maxMemory > 0 && (policy.equals("volatile-ttl") || policy.endsWith("-random"));
    }
}
