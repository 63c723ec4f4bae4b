package dev.usher;

import io.lettuce.core.api.sync.RedisCommands;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** The number of calls of each command in a Redis, by clients and by scripts. */
final class RedisCalls {

    private RedisCalls() {}

    /** Calls of a command since the server was started, or its statistics were reset. */
    static long of(RedisCommands<String, String> redis, String command) {
        return Pattern.compile("^cmdstat_" + command + ":calls=(\\d+),", Pattern.MULTILINE)
                .matcher(redis.info("commandstats"))
                .results()
                .map((MatchResult line) -> Long.parseLong(line.group(1)))
                .reduce(0L, Long::sum);
    }
}
