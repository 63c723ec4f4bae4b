package dev.usher.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** The machine and the JVM of a run, and the versions of the measured libraries. */
final class Machine {

    private static final Path PROCESSORS = Path.of("/proc/cpuinfo");
    private static final double GIGABYTE = 1 << 30;

    private Machine() {}

    /** The facts, as the lines of a list. */
    static List<String> facts(String redisVersion) {
        Runtime runtime = Runtime.getRuntime();
        return List.of(
                runtime.availableProcessors() + " processors" + processor() + memory() + ", "
                        + System.getProperty("os.name") + " " + System.getProperty("os.version"),
                "JDK " + System.getProperty("java.vendor.version", "") + " " + Runtime.version() + ", Redis "
                        + redisVersion + ", everything on loopback",
                "usher with "
                        + String.join(
                                ", ",
                                jar(com.github.benmanes.caffeine.cache.Cache.class),
                                jar(io.lettuce.core.RedisClient.class),
                                jar(tools.jackson.databind.ObjectMapper.class)),
                "against "
                        + String.join(
                                ", ",
                                jar(com.alicp.jetcache.Cache.class),
                                jar(org.redisson.Redisson.class),
                                jar(org.springframework.cache.Cache.class),
                                jar(org.springframework.data.redis.cache.RedisCache.class)));
    }

    private static String processor() {
        if (!Files.isReadable(PROCESSORS)) {
            return " (" + System.getProperty("os.arch") + ")";
        }
        try (Stream<String> lines = Files.lines(PROCESSORS)) {
            return lines.filter(line -> line.startsWith("model name"))
                    .map(line -> " (" + line.substring(line.indexOf(':') + 1).strip() + ")")
                    .findFirst()
                    .orElse("");
        } catch (IOException e) {
            return "";
        }
    }

    private static String memory() {
        if (ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system) {
            return String.format(Locale.ROOT, ", %.0f GiB of memory", system.getTotalMemorySize() / GIGABYTE);
        }
        return "";
    }

    /** The name of the jar of a class, which tells its version. */
    private static String jar(Class<?> type) {
        try {
            Path file = Path.of(
                    type.getProtectionDomain().getCodeSource().getLocation().toURI());
            return String.valueOf(file.getFileName()).replaceFirst("\\.jar$", "");
        } catch (URISyntaxException e) {
            return type.getPackageName();
        }
    }
}
