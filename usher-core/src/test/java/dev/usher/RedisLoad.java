package dev.usher;

import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a Redis had done up to a moment, by its own counts. Its processor time says what a load costs it, on a busy machine as well.
 *
 * @param at the moment, of {@link System#nanoTime()}
 * @param cpuSeconds of processor time, of the user and of the system
 * @param bytesOut what it had sent
 * @param bytesIn what it had been sent
 * @param commands by name, in lower case; calls by scripts are counted too
 */
record RedisLoad(long at, double cpuSeconds, long bytesOut, long bytesIn, Map<String, Command> commands) {

    private static final Pattern COMMAND =
            Pattern.compile("^cmdstat_([^:]+):calls=(\\d+),usec=(\\d+)", Pattern.MULTILINE);

    /**
     * What one command has cost.
     *
     * @param calls how often it was called
     * @param micros for how long it has run
     */
    record Command(long calls, long micros) {

        private static final Command NONE = new Command(0, 0);
    }

    static RedisLoad of(RedisClusterCommands<String, String> redis) {
        String cpu = redis.info("cpu");
        String stats = redis.info("stats");
        Map<String, Command> commands = new TreeMap<>();
        Matcher lines = COMMAND.matcher(redis.info("commandstats"));
        while (lines.find()) {
            commands.put(lines.group(1), new Command(Long.parseLong(lines.group(2)), Long.parseLong(lines.group(3))));
        }
        return new RedisLoad(
                System.nanoTime(),
                number(cpu, "used_cpu_user") + number(cpu, "used_cpu_sys"),
                (long) number(stats, "total_net_output_bytes"),
                (long) number(stats, "total_net_input_bytes"),
                commands);
    }

    private static double number(String figures, String name) {
        Matcher line =
                Pattern.compile("^" + name + ":([\\d.]+)", Pattern.MULTILINE).matcher(figures);
        if (!line.find()) {
            throw new IllegalStateException("Redis does not say " + name);
        }
        return Double.parseDouble(line.group(1));
    }

    /** The seconds from an earlier moment to this one. */
    double secondsSince(RedisLoad earlier) {
        return (at - earlier.at) / 1e9;
    }

    /** The share of one core that Redis has used since an earlier moment. */
    double coreSince(RedisLoad earlier) {
        return (cpuSeconds - earlier.cpuSeconds) / secondsSince(earlier);
    }

    /** How often a command was called since an earlier moment. */
    long callsSince(RedisLoad earlier, String command) {
        return command(command).calls() - earlier.command(command).calls();
    }

    /** For how long a command has run since an earlier moment, in microseconds. */
    long microsSince(RedisLoad earlier, String command) {
        return command(command).micros() - earlier.command(command).micros();
    }

    private Command command(String name) {
        return commands.getOrDefault(name, Command.NONE);
    }

    /** The commands that have run longest since an earlier moment, one a line. */
    String longestSince(RedisLoad earlier, int most) {
        double seconds = secondsSince(earlier);
        List<String> names = commands.keySet().stream()
                .filter(name -> callsSince(earlier, name) > 0)
                .sorted(Comparator.comparingDouble(name -> -microsSince(earlier, name)))
                .limit(most)
                .toList();
        return names.stream()
                .map(name -> String.format(
                        Locale.ROOT,
                        "    %-12s %8.0f calls/s, %6.1f µs each, %5.1f %% of a core",
                        name,
                        callsSince(earlier, name) / seconds,
                        (double) microsSince(earlier, name) / callsSince(earlier, name),
                        microsSince(earlier, name) / seconds / 1e4))
                .collect(Collectors.joining("\n"));
    }
}
