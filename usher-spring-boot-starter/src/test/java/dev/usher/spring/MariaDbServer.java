package dev.usher.spring;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.springframework.util.FileSystemUtils;

/** A real MariaDB of this machine ({@code mariadbd}), with one empty database, on a free loopback port. */
final class MariaDbServer implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Process process;
    private final Path directory;
    private final String url;

    private MariaDbServer(Process process, Path directory, String url) {
        this.process = process;
        this.directory = directory;
        this.url = url;
    }

    /** The path of the server's program, if this machine has one: distributions install it outside the PATH of ordinary users. */
    static Optional<Path> program() {
        String path = System.getenv().getOrDefault("PATH", "");
        return Stream.concat(Arrays.stream(path.split(File.pathSeparator)), Stream.of("/usr/sbin", "/usr/local/sbin"))
                .map(folder -> Path.of(folder, "mariadbd"))
                .filter(Files::isExecutable)
                .findFirst();
    }

    static MariaDbServer start(Path program) throws IOException {
        Path directory = Files.createTempDirectory("usher-mariadb");
        Path data = Files.createDirectory(directory.resolve("data"));
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        Process process = new ProcessBuilder(List.of(
                        program.toString(),
                        "--no-defaults",
                        "--user=" + System.getProperty("user.name"),
                        "--datadir=" + data,
                        "--socket=" + directory.resolve("socket"),
                        "--bind-address=127.0.0.1",
                        "--port=" + port,
                        // Without accounts, an empty directory is a valid data directory.
                        "--skip-grant-tables",
                        "--innodb-buffer-pool-size=16M",
                        "--innodb-log-file-size=4M",
                        "--innodb-flush-log-at-trx-commit=0"))
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("log").toFile())
                .start();
        MariaDbServer server =
                new MariaDbServer(process, directory, "jdbc:mariadb://127.0.0.1:" + port + "/users?user=users");
        try {
            Awaitility.await()
                    .atMost(PATIENCE)
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> server.answers("jdbc:mariadb://127.0.0.1:" + port + "/?user=users"));
        } catch (RuntimeException e) {
            server.close();
            throw e;
        }
        return server;
    }

    private boolean answers(String uri) {
        if (!process.isAlive()) {
            throw new IllegalStateException("mariadbd has ended");
        }
        try (Connection connection = DriverManager.getConnection(uri)) {
            return !connection.createStatement().execute("CREATE DATABASE IF NOT EXISTS users");
        } catch (SQLException e) {
            return false;
        }
    }

    String url() {
        return url;
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly().onExit().join();
        FileSystemUtils.deleteRecursively(directory);
    }
}
