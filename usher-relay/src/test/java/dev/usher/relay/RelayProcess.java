package dev.usher.relay;

import dev.usher.relay.RelaySite.Node;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A relay in a process of its own, which prints its state whenever that changes. */
final class RelayProcess {

    private RelayProcess() {}

    static Process start(RelaySite site, Path log) throws IOException {
        return new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "-Xmx256m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        RelayProcess.class.getName(),
                        site.redis.uri(),
                        site.url,
                        site.kind.name()))
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start();
    }

    @SuppressWarnings("SystemOut")
    public static void main(String... arguments) throws InterruptedException {
        RelayKind kind = RelayKind.valueOf(arguments[2]);
        // Its caches announce, and read no row.
        Node node = RelaySite.nodeOn(arguments[0], new TableSource(arguments[1], "", ""));
        ChangeRelay relay = ChangeRelay.builder()
                .feed(kind.feed(arguments[1]))
                .caches(node.caches(), node.statuses())
                .start();
        RelayHealth.State said = RelayHealth.State.CLOSED;
        while (true) {
            RelayHealth health = relay.health();
            if (health.state() != said) {
                said = health.state();
                System.out.println(System.nanoTime() + " " + said + " " + health.lastError());
            }
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }
}
