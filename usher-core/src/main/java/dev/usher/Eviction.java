package dev.usher;

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

    private static final Pattern POLICY = Pattern.compile("^maxmemory_policy:(\\S+)", Pattern.MULTILINE);
    private static final Pattern MAX_MEMORY = Pattern.compile("^maxmemory:(\\d+)", Pattern.MULTILINE);

    /** What the memory section of {@code INFO} says, or {@code null} when it says nothing of it. */
    static @Nullable Eviction parse(String info) {
        Matcher policy = POLICY.matcher(info);
        Matcher maxMemory = MAX_MEMORY.matcher(info);
        return policy.find() && maxMemory.find()
                ? new Eviction(policy.group(1), Long.parseLong(maxMemory.group(1)))
                : null;
    }

    /** Whether a guard may go that was written a moment ago, long before the values that are read all the time. */
    boolean takesYoungGuards() {
        return maxMemory > 0 && (policy.equals("volatile-ttl") || policy.endsWith("-random"));
    }
}
