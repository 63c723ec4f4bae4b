package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Node.Shared;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Who sees what of the actuator: on the server's own port, and on one of its own. */
class ActuatorIT {

    private static final Map<String, String> OWN_PORT =
            Node.with(Shared.SETTINGS, Map.of("management.server.port", "0"));

    @Test
    void onTheServersOwnPortEverythingBeyondHealthIsForAdministrators() {
        Node node = Shared.NODE;
        String user = node.register().token();
        String admin = node.administrator().token();

        node.get("/actuator/health", null).with(200);
        node.get("/actuator/health/readiness", null).with(200);
        for (String path : List.of("/actuator", "/actuator/prometheus", "/actuator/env")) {
            node.get(path, null).problem(401, "unauthenticated");
            node.get(path, user).problem(403, "forbidden");
        }
        assertThat(node.get("/actuator/prometheus", admin).with(200).response().body())
                .contains("usher_requests_total")
                .doesNotContain(Node.ADMIN_MOBILE);
        node.get("/actuator/env", admin).problem(404, "not-found");
    }

    @Test
    void onAPortOfItsOwnAScraperNeedsNoTokenAndTheServersOwnPortHasNothing() throws IOException {
        try (Node node = Node.start(Shared.REDIS.uri(), Node.newDatabase(), OWN_PORT)) {
            String user = node.register().token();
            String admin = node.administrator().token();

            management(node, "/actuator/health", null).with(200);
            assertThat(management(node, "/actuator/prometheus", null)
                            .with(200)
                            .response()
                            .body())
                    .contains("usher_requests_total");
            for (String path : List.of("/actuator", "/actuator/env", "/v1/me")) {
                management(node, path, null).with(401);
            }
            management(node, "/actuator", user).with(403);
            management(node, "/actuator", admin).with(200);
            management(node, "/v1/me", user).with(404);

            for (String path : List.of("/actuator", "/actuator/health", "/actuator/prometheus")) {
                node.get(path, null).problem(401, "unauthenticated");
                node.get(path, admin).problem(404, "not-found");
            }
            for (InetAddress address : addressesOfThisMachine()) {
                assertThat(answers(address, node.managementAddress("/").getPort()))
                        .as(address.toString())
                        .isEqualTo(address.isLoopbackAddress());
            }
        }
    }

    private static List<InetAddress> addressesOfThisMachine() throws IOException {
        return NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(address -> address.getAddress().length == 4)
                .toList();
    }

    private static boolean answers(InetAddress address, int port) {
        try (Socket socket = new Socket(address, port)) {
            return socket.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    private static Answer management(Node node, String path, @Nullable String token) {
        HttpRequest.Builder request = HttpRequest.newBuilder(node.managementAddress(path));
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        return node.send(request);
    }
}
