package dev.usher.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import dev.usher.server.SlowSenders;
import dev.usher.server.SlowSenders.Kind;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Access to the actuator: on the server's own port, and on one of its own. */
class ActuatorIT {

    private static final Map<String, String> OWN_PORT = Node.with(
            Shared.SETTINGS,
            Map.of(
                    "management.server.port", "0",
                    "usher.server.security-observations", "true",
                    "usher.server.limits.head-timeout", "1s",
                    "usher.server.limits.body-timeout", "1s"));

    private static final List<String> PATHS = List.of(
            "/.well-known/jwks.json",
            "/v3/api-docs",
            "/v3/api-docs.yaml",
            "/v1/nowhere",
            "/",
            "/error",
            "/actuator",
            "/actuator/",
            "/actuator/health",
            "/actuator/health/readiness",
            "/actuator/health/db",
            "/actuator/health/nothing",
            "/actuator/health;a=b",
            "/actuator/prometheus",
            "/actuator/prometheus/x",
            "/actuator/prometheus?includedNames=%FF",
            "/actuator/usher",
            "/actuator/env",
            "/actuator/%FF",
            "/actuator/%00");

    private static final List<@Nullable String> ACCEPTED = Arrays.asList(
            null,
            "*/*",
            "text/plain",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text",
            "application/json",
            "application/problem+json",
            "text/html",
            "text/plain;version=9",
            "none",
            ",");

    private static final List<Request> REQUESTS = Stream.concat(
                    Stream.of(null, "text/plain", "text/html").map(accept -> new Request("GET", accept)),
                    Stream.of("HEAD", "POST", "OPTIONS", "TRACE").map(method -> new Request(method, null)))
            .toList();

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
                .contains("usher_requests_total", "http_server_requests_seconds_count")
                .doesNotContain(Node.ADMIN_MOBILE, "spring_security");
        node.get("/actuator/env", admin).problem(404, "not-found");
    }

    @Tag("thorough")
    @Test
    void onAPortOfItsOwnAScraperNeedsNoTokenAndTheServersOwnPortHasNothing() throws IOException {
        try (Node node = Node.start(Shared.REDIS.uri(), Node.newDatabase(), OWN_PORT)) {
            String user = node.register().token();
            String admin = node.administrator().token();

            node.get("/v1/me", user).with(200);
            management(node, "/actuator/health", null).with(200);
            assertThat(management(node, "/actuator/prometheus", null)
                            .with(200)
                            .response()
                            .body())
                    .contains(
                            "usher_requests_total",
                            "http_server_requests_seconds_count",
                            "spring_security_filterchains_seconds_count",
                            "spring_security_authentications_seconds_count",
                            "spring_security_authorizations_seconds_count");
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
            answersAsOnTheServersPort(node);
            for (InetAddress address : addressesOfThisMachine()) {
                assertThat(answers(address, node.managementAddress("/").getPort()))
                        .as(address.toString())
                        .isEqualTo(address.isLoopbackAddress());
            }
            assertSlowSendersAreCutOff(node.managementAddress("/").getPort());
        }
    }

    private static void assertSlowSendersAreCutOff(int port) throws IOException {
        List<Kind> kinds = List.of(Kind.A_HEAD_BYTE_BY_BYTE, Kind.A_BODY_OF_A_CALL_THAT_TAKES_NONE);
        try (SlowSenders senders = new SlowSenders(port, kinds, 1)) {
            await().atMost(Duration.ofSeconds(5))
                    .until(() -> senders.all().stream().allMatch(SlowSenders.Sender::isCutOff));
        }
    }

    /** For each caller, path and method, except for the API, and for the page that a scraper sees without a token. */
    private static void answersAsOnTheServersPort(Node node) {
        Map<String, @Nullable String> onServers = new HashMap<>();
        onServers.put("without a token", null);
        Map<String, @Nullable String> onManagements = new HashMap<>(onServers);
        onServers.put("an administrator", Shared.NODE.administrator().token());
        onManagements.put("an administrator", node.administrator().token());
        onServers.keySet().forEach(caller -> {
            for (String path : PATHS) {
                boolean scraping = path.startsWith("/actuator/prometheus") && !caller.equals("an administrator");
                for (Request request : scraping ? List.<Request>of() : REQUESTS) {
                    String servers =
                            shown(Shared.NODE.send(request.to(Shared.NODE.address(path), onServers.get(caller))), path);
                    String managements =
                            shown(node.send(request.to(node.managementAddress(path), onManagements.get(caller))), path);
                    assertThat(managements)
                            .as(path + " " + request + ", " + caller)
                            .isEqualTo(servers)
                            .doesNotContain("timestamp", "<html");
                }
            }
        });
    }

    @Test
    void aScraperThatAcceptsNothingOfPrometheusGetsText() {
        String admin = Shared.NODE.administrator().token();
        for (@Nullable String accept : ACCEPTED) {
            Answer answer = Shared.NODE
                    .send(new Request("GET", accept).to(Shared.NODE.address("/actuator/prometheus"), admin))
                    .with(200);
            assertThat(answer.response().headers().firstValue("Content-Type"))
                    .as(accept)
                    .hasValueSatisfying(type -> assertThat(type)
                            .startsWith(
                                    accept != null && accept.startsWith("application/openmetrics-text")
                                            ? "application/openmetrics-text;version=1.0.0"
                                            : "text/plain;version=0.0.4"));
        }
    }

    /** How something is asked for. */
    private record Request(String method, @Nullable String accept) {

        HttpRequest.Builder to(URI address, @Nullable String token) {
            HttpRequest.Builder request =
                    HttpRequest.newBuilder(address).method(method, HttpRequest.BodyPublishers.noBody());
            if (accept != null) {
                request.header("Accept", accept);
            }
            if (token != null) {
                request.header("Authorization", "Bearer " + token);
            }
            return request;
        }
    }

    /** Status, headers, and where it is the same on all nodes the body. */
    private static String shown(Answer answer, String path) {
        Map<String, List<String>> headers =
                new TreeMap<>(answer.response().headers().map());
        headers.keySet().removeAll(List.of("date", "content-length", "transfer-encoding", "connection", "keep-alive"));
        boolean isOfTheNode = answer.status() == 200 && path.startsWith("/actuator");
        return answer.status() + " " + headers + " "
                + (isOfTheNode ? "" : answer.response().body());
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
