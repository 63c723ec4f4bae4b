package dev.usher.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A temporary directory for all files of one server: its settings, its data and its log. */
final class ServerDirectory {
    private static final int LOG_LINES = 50;

    private final Path path;

    private ServerDirectory(Path path) {
        this.path = path;
    }

    static ServerDirectory create(String prefix) {
        try {
            return new ServerDirectory(Files.createTempDirectory(prefix));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot create a directory for a server", e);
        }
    }

    /** A directory below {@code ~/.cache/usher} that only this user can write to; empty if it cannot be created. */
    static Optional<Path> cache(String name) {
        Path own = Path.of(System.getProperty("user.home"), ".cache", "usher", name);
        try {
            Files.createDirectories(own);
            Files.setPosixFilePermissions(own, PosixFilePermissions.fromString("rwx------"));
            return Optional.of(own);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    Path path() {
        return path;
    }

    Path log() {
        return path.resolve("server.log");
    }

    /** The last 50 lines the server wrote, for the message of an exception. */
    String logTail() {
        try {
            List<String> lines =
                    Files.readString(log(), StandardCharsets.ISO_8859_1).lines().toList();
            return String.join("\n", lines.subList(Math.max(0, lines.size() - LOG_LINES), lines.size()));
        } catch (IOException e) {
            return "(no log: " + e + ")";
        }
    }

    void delete() {
        try (Stream<Path> files = Files.walk(path)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (NoSuchFileException e) {
            // Already deleted.
        } catch (IOException e) {
            throw new UncheckedIOException("cannot delete " + path, e);
        }
    }
}
