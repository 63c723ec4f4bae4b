package dev.usher.cli;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;
import tools.jackson.databind.json.JsonMapper;

/**
 * Health and metrics of a relay, for orchestrators and scrapers, under the paths of the server's actuator. The JDK's own HTTP server answers them: the relay serves
 * nothing else.
 */
final class RelayHttp implements AutoCloseable {

    private static final String HEALTH = "/actuator/health";
    private static final String READINESS = "/actuator/health/readiness";
    private static final String LIVENESS = "/actuator/health/liveness";
    private static final String METRICS = "/actuator/prometheus";

    private static final int OK = 200;
    private static final int NOT_FOUND = 404;
    private static final int METHOD_NOT_ALLOWED = 405;
    private static final int UNAVAILABLE = 503;

    /**
     * In seconds. Read once, when the first server is made; a caller that sends half a request, or takes half an answer, holds a thread for so long.
     */
    private static final List<String> LONGEST =
            List.of("sun.net.httpserver.maxReqTime", "sun.net.httpserver.maxRspTime");

    private static final int THREADS = 4;

    private final JsonMapper mapper = new JsonMapper();
    private final HttpServer server;
    private final ExecutorService threads;

    /** {@code null} while it starts. */
    private volatile @Nullable RunningRelay relay;

    private RelayHttp(HttpServer server) {
        this.server = server;
        this.threads = Executors.newFixedThreadPool(THREADS, task -> {
            Thread thread = new Thread(task, "usher-relay-http");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Starts it. Until a relay is {@linkplain #answerOf given}, it answers that none follows.
     *
     * @param port 0 for any that is free
     * @throws CommandException when the port cannot be used
     */
    static RelayHttp start(String address, int port) {
        LONGEST.forEach(time -> System.setProperty(time, "5"));
        try {
            RelayHttp http =
                    new RelayHttp(HttpServer.create(new InetSocketAddress(InetAddress.getByName(address), port), 0));
            http.server.createContext("/", http::answer);
            http.server.setExecutor(http.threads);
            http.server.start();
            return http;
        } catch (IOException e) {
            throw new CommandException(
                    "port " + port + " of " + address + " cannot be used (" + e.getMessage()
                            + "); choose another one with MANAGEMENT_PORT, and the address with MANAGEMENT_SERVER_ADDRESS",
                    e);
        }
    }

    /** From now on the answers are of a relay. */
    void answerOf(RunningRelay started) {
        relay = started;
    }

    /** Where health is. */
    String address() {
        InetSocketAddress bound = server.getAddress();
        String host = bound.getAddress().isLoopbackAddress() ? "localhost" : bound.getHostString();
        return "http://" + host + ":" + bound.getPort() + HEALTH;
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            if (!List.of("GET", "HEAD").contains(exchange.getRequestMethod())) {
                exchange.sendResponseHeaders(METHOD_NOT_ALLOWED, -1);
                return;
            }
            switch (exchange.getRequestURI().getPath()) {
                case HEALTH, READINESS -> {
                    Health health = health();
                    boolean isUp = health.getStatus().equals(Status.UP);
                    send(exchange, isUp ? OK : UNAVAILABLE, "application/json", json(health));
                }
                // A relay that cannot follow tries again by itself: to start its process anew would not help it.
                case LIVENESS -> send(exchange, OK, "application/json", "{\"status\":\"UP\"}");
                case METRICS -> send(exchange, OK, "text/plain; version=0.0.4; charset=utf-8", meters());
                default -> exchange.sendResponseHeaders(NOT_FOUND, -1);
            }
        }
    }

    private Health health() {
        RunningRelay started = relay;
        return started == null
                ? Health.unknown().withDetail("state", "STARTING").build()
                : started.health();
    }

    private String meters() {
        RunningRelay started = relay;
        return started == null ? "" : started.meters();
    }

    private String json(Health health) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("status", health.getStatus().getCode());
        json.put("details", health.getDetails());
        return mapper.writeValueAsString(json);
    }

    private static void send(HttpExchange exchange, int status, String type, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.getResponseHeaders().set("Content-Length", Integer.toString(bytes.length));
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        // Zero would mean a body of unknown length.
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
