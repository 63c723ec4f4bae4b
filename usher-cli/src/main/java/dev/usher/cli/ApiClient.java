package dev.usher.cli;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** Calls the server over HTTP, on connections that are reused. Thread-safe. */
final class ApiClient {

    private static final Duration TIMEOUT = Duration.ofSeconds(30);
    private static final JsonMapper MAPPER = new JsonMapper();

    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(TIMEOUT)
            .build();
    private final String address;

    ApiClient(String address) {
        this.address = address;
    }

    Answer get(String path, String token) {
        return send("GET", path, null, token);
    }

    Answer post(String path, Map<String, ?> body) {
        return send("POST", path, body, null);
    }

    Answer put(String path, Map<String, ?> body, String token) {
        return send("PUT", path, body, token);
    }

    /** Sends, and waits for the answer, whatever its status. */
    Answer send(String method, String path, @Nullable Map<String, ?> body, @Nullable String token) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address + path))
                .timeout(TIMEOUT)
                .method(
                        method,
                        body == null
                                ? BodyPublishers.noBody()
                                : BodyPublishers.ofString(MAPPER.writeValueAsString(body)));
        if (body != null) {
            request.header("Content-Type", "application/json");
        }
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        String call = method + " " + path;
        try {
            HttpResponse<String> response = client.send(request.build(), BodyHandlers.ofString());
            return new Answer(call, response.statusCode(), response.body());
        } catch (IOException e) {
            throw new CommandException(call + " was not answered: " + e, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException(call + " was interrupted", e);
        }
    }
}
