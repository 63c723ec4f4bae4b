package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** A web application with the starter, on a real Tomcat and a real Redis, called over HTTP. */
final class Site implements AutoCloseable {

    private final HttpClient client = HttpClient.newHttpClient();
    private final ConfigurableApplicationContext context;

    private Site(ConfigurableApplicationContext context) {
        this.context = context;
    }

    /** The application that most tests share: it starts with the first of them and ends with the JVM. */
    static final class Shared {

        static final RedisServer REDIS = RedisServer.start();
        static final Site SITE = start(
                "usher.web.status-gate.excluded-paths=/open/**,/leave",
                "usher.web.status-gate.pass-authorities=SCOPE_any,ROLE_SERVICE");

        private Shared() {}
    }

    static Site start(String... settings) {
        List<String> arguments = new ArrayList<>(List.of(
                "--server.port=0",
                "--spring.data.redis.url=" + Shared.REDIS.uri(),
                "--spring.main.banner-mode=off",
                // The first calls of a JVM can take longer than the default timeout.
                "--usher.redis.command-timeout=5s"));
        for (String setting : settings) {
            arguments.add("--" + setting);
        }
        return new Site(new SpringApplicationBuilder(SiteApplication.class)
                .registerShutdownHook(false)
                .run(arguments.toArray(String[]::new)));
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    /** The answer to a request with a login by that name, or without a login. */
    Answer get(String path, @Nullable String name) {
        return send("GET", "local.server.port", path, name);
    }

    Answer send(String method, String portProperty, String path, @Nullable String name) {
        String port = context.getEnvironment().getProperty(portProperty);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .method(method, BodyPublishers.noBody());
        if (name != null) {
            String credentials = name + ":" + SiteApplication.PASSWORD;
            request.header(
                    "Authorization",
                    "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8)));
        }
        try {
            return new Answer(client.send(request.build(), BodyHandlers.ofString()));
        } catch (IOException e) {
            throw new IllegalStateException("the application did not answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** An answer. */
    record Answer(HttpResponse<String> response) {

        int status() {
            return response.statusCode();
        }

        String body() {
            return response.body();
        }

        void is(int status, String body) {
            assertThat(body()).isEqualTo(body);
            assertThat(status()).isEqualTo(status);
        }

        void isAccountDisabled() {
            is(
                    403,
                    "{\"type\":\"urn:usher:problem:account-disabled\",\"title\":\"The account is disabled.\",\"status\":403}");
            assertThat(response.headers().firstValue("Content-Type")).contains("application/problem+json");
        }

        void isNotAUser() {
            is(
                    403,
                    "{\"type\":\"urn:usher:problem:not-a-user\",\"title\":\"The caller is not a user.\",\"status\":403}");
            assertThat(response.headers().firstValue("Content-Type")).contains("application/problem+json");
        }

        void isUnavailable() {
            is(
                    503,
                    "{\"type\":\"urn:usher:problem:unavailable\",\"title\":\"This cannot be answered for the moment."
                            + " Try again soon.\",\"status\":503}");
            assertThat(response.headers().firstValue("Content-Type")).contains("application/problem+json");
            assertThat(response.headers().firstValue("Retry-After")).contains("1");
        }
    }

    @Override
    public void close() {
        context.close();
    }
}
