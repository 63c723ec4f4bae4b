package dev.usher.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Locale;
import redis.embedded.core.ExecutableProvider;

/**
 * Finds the program that {@link RedisServer} runs: Redis 6.2, unless the system property {@value #SETTING} names another.
 * Its value is {@value #NEWER}, for the Redis 7.0 of {@code org.signal:embedded-redis}, which must be on the class path, or the
 * path of any {@code redis-server} or {@code valkey-server}.
 */
final class RedisExecutable {
    static final String SETTING = "usher.testkit.redis";

    private static final String NEWER = "7.0";
    private static final String NEWER_VERSION = "7.0.15";

    private RedisExecutable() {}

    /**
     * The path of the program.
     *
     * @param directory where it is unpacked to, if it comes in a jar
     * @throws IllegalStateException if there is none where the setting says
     * @throws IOException if it cannot be unpacked
     */
    static Path find(Path directory) throws IOException {
        return find(System.getProperty(SETTING, ""), directory);
    }

    /**
     * As {@link #find(Path)}, but Redis 7.0 where nothing is set: 6.2 pushes nothing when a slot is taken from it.
     *
     * @param siblings the directories of other servers of the Cluster: a program that one of them has unpacked is linked
     */
    static Path findForCluster(Path directory, List<Path> siblings) throws IOException {
        String setting = System.getProperty(SETTING, "");
        if (setting.isEmpty() || setting.equals(NEWER)) {
            for (Path sibling : siblings) {
                Path unpacked = sibling.resolve(newerName());
                if (Files.exists(unpacked)) {
                    return Files.createLink(directory.resolve(newerName()), unpacked);
                }
            }
        }
        return find(setting.isEmpty() ? NEWER : setting, directory);
    }

    static Path find(String setting, Path directory) throws IOException {
        return switch (setting) {
            case "" ->
                ExecutableProvider.newJarResourceProvider(directory.toFile())
                        .get()
                        .toPath();
            case NEWER -> unpackNewer(directory);
            default -> installed(Path.of(setting).toAbsolutePath());
        };
    }

    /**
     * Whether the program is older than Redis 7.0. Valkey is not.
     *
     * @throws IllegalStateException if there is no program where the setting says
     */
    static boolean isOlderThanSeven() {
        String setting = System.getProperty(SETTING, "");
        return switch (setting) {
            case "" -> true;
            case NEWER -> false;
            default -> versionOf(installed(Path.of(setting).toAbsolutePath())).contains(" v=6.");
        };
    }

    /** The line that the program prints of its version. */
    static String versionOf(Path program) {
        try {
            Process process = new ProcessBuilder(program.toString(), "--version")
                    .redirectErrorStream(true)
                    .start();
            String line = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            ProcessExit.await(process);
            return line;
        } catch (IOException e) {
            throw new IllegalStateException("cannot run " + program, e);
        }
    }

    private static Path installed(Path program) {
        if (!Files.isRegularFile(program) || !Files.isExecutable(program)) {
            throw new IllegalStateException(SETTING + " is " + program + ", which is no program");
        }
        return program;
    }

    private static Path unpackNewer(Path directory) throws IOException {
        String name = newerName();
        try (InputStream packed = RedisExecutable.class.getResourceAsStream("/" + name)) {
            if (packed == null) {
                throw new IllegalStateException(SETTING + " is " + NEWER + ", but no " + name
                        + " is on the class path: add org.signal:embedded-redis");
            }
            Path program = directory.resolve(name);
            Files.copy(packed, program);
            Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
            return program;
        }
    }

    private static String newerName() {
        return "redis-server-" + NEWER_VERSION + "-"
                + platform(System.getProperty("os.name"), System.getProperty("os.arch"));
    }

    /** The operating system and the processor, as the names of the programs in the jar have them. */
    static String platform(String system, String processor) {
        String architecture = switch (processor.toLowerCase(Locale.ROOT)) {
            case "aarch64", "arm64" -> "arm64";
            case "x86", "i386", "i686" -> "386";
            default -> "amd64";
        };
        return (system.startsWith("Mac") ? "darwin-" : "linux-") + architecture;
    }
}
