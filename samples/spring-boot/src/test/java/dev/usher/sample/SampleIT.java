package dev.usher.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ConfigurableApplicationContext;

/** The sample over HTTP, on real servers. */
class SampleIT {

    private static final String ANN = "13800000001:anns password";
    private static final String BOB = "13800000002:bobs password";
    private static final String CARL = "13800000004:carls password";
    private static final String ROOT = "13800000003:roots password";

    private static LocalServers servers;
    private static ConfigurableApplicationContext sample;

    private final HttpClient client = HttpClient.newHttpClient();

    @BeforeAll
    static void start() {
        servers = LocalServers.start();
        sample = SpringApplication.run(
                SampleApplication.class,
                servers.arguments(
                        "--server.port=0",
                        // The first calls of a JVM can take longer than the default timeout.
                        "--usher.redis.command-timeout=5s"));
    }

    @AfterAll
    static void stop() {
        sample.close();
        servers.close();
    }

    @Test
    void aMemberSeesTheirOwnProfile() throws Exception {
        assertThat(get("/me", BOB).body())
                .isEqualTo("{\"mobile\":\"13800000002\",\"name\":\"Bob\",\"photo\":\"\",\"is_media\":false,"
                        + "\"intro\":\"\",\"certi\":\"\"}");
    }

    @Test
    void anotherOnesMobileNumberIsMasked() throws Exception {
        assertThat(get("/members/2", ANN).body()).contains("\"mobile\":\"138****0002\"");
        assertThat(get("/members/99", ANN).statusCode()).isEqualTo(404);
    }

    @Test
    void badgesAreAFacetOfTheApplicationsOwn() throws Exception {
        assertThat(get("/members/1/badges", BOB).body()).isEqualTo("{\"karma\":120,\"title\":\"sage\"}");
        assertThat(get("/members/2/badges", BOB).body()).isEqualTo("{\"karma\":0,\"title\":\"\"}");
    }

    @Test
    void aNewNameIsSeenWithTheNextCall() throws Exception {
        assertThat(get("/me", ANN).body()).contains("\"name\":\"Ann");

        assertThat(send("PUT", "/me/name", "Anna", ANN).statusCode()).isEqualTo(204);

        assertThat(get("/me", ANN).body()).contains("\"name\":\"Anna\"");
        assertThat(get("/members/1", BOB).body()).contains("\"name\":\"Anna\"");
    }

    @Test
    void aBannedMemberIsRefusedOnceTheReceiptIsAnswered() throws Exception {
        assertThat(get("/me", CARL).statusCode()).isEqualTo(200);

        HttpResponse<String> receipt = send("POST", "/admin/members/4/ban", "", ROOT);

        assertThat(receipt.statusCode()).isEqualTo(200);
        assertThat(receipt.body()).contains("\"confirmed\":true");
        HttpResponse<String> refusal = get("/me", CARL);
        assertThat(refusal.statusCode()).isEqualTo(403);
        assertThat(refusal.body()).contains("urn:usher:problem:account-disabled");
    }

    @Test
    void onlyAdministratorsBan() throws Exception {
        assertThat(send("POST", "/admin/members/2/ban", "", ANN).statusCode()).isEqualTo(403);
        assertThat(get("/me", BOB).statusCode()).isEqualTo(200);
    }

    @Test
    void anInvalidNameIsABadRequest() throws Exception {
        for (String name : new String[] {" ", "a".repeat(65), "a\0b"}) {
            assertThat(send("PUT", "/me/name", name, BOB).statusCode()).isEqualTo(400);
        }
    }

    @Test
    void aMemberWithoutThePasswordIsRefused() throws Exception {
        assertThat(get("/me", "13800000001:bobs password").statusCode()).isEqualTo(401);
        assertThat(get("/me", "13800000009:anns password").statusCode()).isEqualTo(401);
    }

    private HttpResponse<String> get(String path, String login) throws Exception {
        return send("GET", path, "", login);
    }

    private HttpResponse<String> send(String method, String path, String body, String login) throws Exception {
        String port = sample.getEnvironment().getRequiredProperty("local.server.port");
        return client.send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                        .method(method, BodyPublishers.ofString(body))
                        .header("Content-Type", "text/plain")
                        .header(
                                "Authorization",
                                "Basic " + Base64.getEncoder().encodeToString(login.getBytes(StandardCharsets.UTF_8)))
                        .build(),
                BodyHandlers.ofString());
    }
}
