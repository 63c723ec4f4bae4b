package dev.usher;

import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** The number of calls of each command in a Redis, by clients and by scripts. */
final class RedisCalls {

    private RedisCalls() {}

    /** Calls of a command since the server was started, or its statistics were reset; without those of heartbeats and of other scripts of the register. */
    static long of(RedisClusterCommands<String, String> redis, String command) {
        String figures = redis.info("commandstats");
        // One in each entry, and in each look at how many nodes have not seen a number.
        long scripts = in(figures, "zcount") + in(figures, "zrangebyscore") + in(figures, "ltrim");
        return in(figures, command)
                - switch (command) {
                    case "evalsha", "get" -> scripts;
                    case "pttl" -> in(figures, "hlen"); // both in some entries
                    default -> 0;
                };
    }

    private static long in(String figures, String command) {
        return Pattern.compile("^cmdstat_" + command + ":calls=(\\d+),", Pattern.MULTILINE)
                .matcher(figures)
                .results()
                .map((MatchResult line) -> Long.parseLong(line.group(1)))
                .reduce(0L, Long::sum);
    }
}
