package dev.usher.server.web;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever a caller gets wrong is answered with a problem of the 4xx kind, which quotes nothing of it. */
class BadInputIT {

    private final Node node = Shared.NODE;

    static Stream<Arguments> fieldsOfARegistration() {
        return Stream.of(
                argumentSet("no mobile", "mobile", null),
                argumentSet("an empty mobile", "mobile", ""),
                argumentSet("a short mobile", "mobile", "12345"),
                argumentSet("a long mobile", "mobile", "1234567890123456"),
                argumentSet("a mobile of letters", "mobile", "13800000abc"),
                argumentSet("a mobile of other digits", "mobile", "１３８００００００００"),
                argumentSet("a mobile with a line end", "mobile", "13800000000\n"),
                argumentSet("a mobile with a NUL", "mobile", "1380000\u0000000"),
                argumentSet("a mobile that is a list", "mobile", new String[] {"13800000000"}),
                argumentSet("a mobile that is a number", "mobile", 13800000000L),
                argumentSet("a password that is true", "password", true),
                argumentSet("no password", "password", null),
                argumentSet("a short password", "password", "seven77"),
                argumentSet("a password of 73 bytes", "password", "x".repeat(73)),
                argumentSet("a password of 75 bytes in 25 characters", "password", "密".repeat(25)),
                argumentSet("a password with half a character", "password", "password\ud800"),
                argumentSet("no name", "name", null),
                argumentSet("a blank name", "name", "   "),
                argumentSet("a long name", "name", "n".repeat(65)),
                argumentSet("a very long name", "name", "n".repeat(10_000)),
                argumentSet("a name with a NUL", "name", "Ann\u0000"),
                argumentSet("a name of two lines", "name", "Ann\nBob"),
                argumentSet("a name with half a character", "name", "Ann\ud83d"),
                argumentSet("a name that is turned round", "name", "Ann\u202eboB"),
                argumentSet("a name of spaces of another script", "name", "\u3000\u3000"),
                argumentSet("a password of one character", "password", "xxxxxxxx"),
                argumentSet("a blank password", "password", " ".repeat(9)),
                argumentSet("a long photo", "photo", "p".repeat(513)),
                argumentSet("a photo with a NUL", "photo", "\u0000"),
                argumentSet("is_media as a text", "is_media", "true"),
                argumentSet("is_media as an object", "is_media", Map.of()),
                argumentSet("is_media, which is granted", "is_media", true),
                argumentSet("a long intro", "intro", "i".repeat(1001)),
                argumentSet("an intro with a NUL", "intro", "a\u0000b"),
                argumentSet("a certi, which is granted", "certi", "engineer"));
    }

    @ParameterizedTest
    @MethodSource("fieldsOfARegistration")
    void aFieldOfARegistrationIsNamed(String field, @Nullable Object value) {
        Map<String, @Nullable Object> body =
                new HashMap<>(Map.of("mobile", Node.newMobile(), "password", Node.PASSWORD, "name", "Ann"));
        body.put(field, value);

        Answer answer = node.post("/v1/users", body, null).problem(400, "invalid-field");

        assertThat(answer.json().path("errors").path(0).path("field").asString())
                .isEqualTo(field);
        assertThat(answer.json().path("errors").path(0).path("detail").asString())
                .isNotBlank();
        if (value instanceof String text && text.length() > 3) {
            assertThat(answer.response().body()).doesNotContain(text);
        }
    }

    @Test
    void theLongestOfEverythingIsTaken() {
        Map<String, Object> body = Map.of(
                "mobile", "+9" + Node.newMobile(),
                "password", "密".repeat(23) + "abc",
                // Each of these is two units of UTF-16.
                "name", "𠮷".repeat(64),
                "photo", "𠮷".repeat(512),
                "intro", "𠮷".repeat(1000));

        Answer answer = node.post("/v1/users", body, null).with(201);

        String token = node.post("/v1/login", body, null).with(200).text("token");
        assertThat(node.get("/v1/me", token).with(200).json()).isEqualTo(answer.json());
        node.send("PATCH", "/v1/me", Map.of("name", "𠮷".repeat(64), "intro", "𠮷".repeat(1000)), token)
                .with(200);
        node.send("PATCH", "/v1/me", Map.of("name", "𠮷".repeat(65)), token).problem(400, "invalid-field");
        node.send("PATCH", "/v1/me", Map.of("name", "Ann\u202eboB"), token).problem(400, "invalid-field");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "{",
                "{\"mobile\":",
                "13800000000",
                "\"13800000000\"",
                "{} {}",
                "<xml/>",
                "\u0000"
            })
    void aBodyThatIsNoneIsRefused(String body) {
        for (String path : new String[] {"/v1/users", "/v1/login", "/v1/token/refresh"}) {
            Answer answer = node.post(path, body, null);
            assertThat(answer.status()).isEqualTo(400);
            answer.problem(400, "malformed-request");
            assertThat(answer.response().body()).doesNotContain("13800000000");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/users", "/v1/login", "/v1/token/refresh"})
    void anEmptyObjectLacksItsFields(String path) {
        Answer answer = node.post(path, "{}", null).problem(400, "invalid-field");

        assertThat(answer.json().path("errors")).isNotEmpty();
    }

    @Test
    void aFreshTokenIsNamedAsTheCallerKnowsIt() {
        Answer answer = node.post("/v1/token/refresh", "{}", null).problem(400, "invalid-field");

        assertThat(answer.json().path("errors").path(0).path("field").asString())
                .isEqualTo("fresh_token");
    }

    @Test
    void aBodyThatIsTooLargeIsRefused() {
        String body = "{\"fresh_token\":\"" + "x".repeat(200_000) + "\"}";

        node.post("/v1/token/refresh", body, null).problem(413, "body-too-large");
    }

    @Test
    void aBodyOfTenMegabytesIsRefusedWithAnAnswerAndNotWithABrokenConnection() {
        byte[] body = new byte[10_000_000];
        Arrays.fill(body, (byte) ' ');

        for (BodyPublisher publisher : List.of(
                BodyPublishers.ofByteArray(body),
                // Chunked, so that the size is not known before.
                BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)))) {
            for (String path : List.of("/v1/login", "/v1/users", "/v1/token/refresh")) {
                node.send(HttpRequest.newBuilder(node.address(path))
                                .header("Content-Type", "application/json")
                                .POST(publisher))
                        .problem(413, "body-too-large");
            }
        }
    }

    @Test
    void aBodyThatSaysThatItIsTooLargeIsRefusedBeforeItIsSent() throws IOException {
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), node.address("/").getPort())) {
            String request = """
                    POST /v1/login HTTP/1.1\r
                    Host: localhost\r
                    Content-Type: application/json\r
                    Content-Length: 65537\r
                    \r
                    """;
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String line = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))
                    .readLine();

            assertThat(line).startsWith("HTTP/1.1 413 ");
        }
    }

    @Test
    void aBodyThatIsTooDeepIsRefused() {
        String body = "{\"mobile\":" + "[".repeat(5_000) + "]".repeat(5_000) + "}";

        assertThat(node.post("/v1/login", body, null).status()).isIn(400, 413);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "abc",
                "1.5",
                "99999999999999999999",
                "0",
                "-1",
                "1e3",
                "%E2%80%AE",
                "null",
                "1,2",
                "0x1f",
                "1%202",
                "+1",
                "%EF%BC%91",
                "9223372036854775808"
            })
    void anIdThatIsNoneIsNamed(String id) {
        String token = node.administrator().token();

        for (Answer answer : new Answer[] {
            node.get("/v1/users/" + id, token),
            node.send("PUT", "/v1/admin/users/" + id + "/status", Map.of("status", "enabled"), token)
        }) {
            answer.problem(400, "invalid-field");
            assertThat(answer.json().path("errors").path(0).path("field").asString())
                    .isEqualTo("id");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"{\"status\":\"banned\"}", "{\"status\":\"\"}", "{\"status\":null}", "{\"status\":1}", "{}"})
    void aStatusThatIsNoneIsNamed(String body) {
        Answer answer = node.send(
                        "PUT",
                        "/v1/admin/users/1/status",
                        body,
                        node.administrator().token())
                .problem(400, "invalid-field");

        assertThat(answer.json().path("errors").path(0).path("field").asString())
                .isEqualTo("status");
    }

    @Test
    void anUnknownFieldIsRefusedInAdministrationAndNamedHarmlessly() {
        String token = node.administrator().token();
        String name = "<script>\\u202e" + "x".repeat(100);

        Answer answer = node.send(
                        "PUT", "/v1/admin/users/1/status", "{\"status\":\"enabled\",\"" + name + "\":1}", token)
                .problem(400, "invalid-field");

        assertThat(answer.json().path("errors").path(0).path("field").asString())
                .isEqualTo("?script??" + "x".repeat(55));
        node.send("PUT", "/v1/admin/users/1/status", "{\"status\":\"enabled\",\"reason\":null}", token)
                .problem(400, "invalid-field");
    }

    @Test
    void anUnknownFieldIsIgnoredElsewhere() {
        String mobile = Node.newMobile();
        Map<String, Object> user = Map.of("mobile", mobile, "password", Node.PASSWORD, "name", "Ann", "age", 30);
        node.post("/v1/users", user, null).with(201);
        Answer login = node.post("/v1/login", user, null).with(200);

        node.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token"), "scope", "all"), null)
                .with(200);
    }

    @Test
    void aFieldThatComesTwiceIsRefused() {
        String twice = "{\"mobile\":\"13800000000\",\"password\":\"secret99\",\"password\":\"secret88\"}";

        node.post("/v1/login", twice, null).problem(400, "malformed-request");
        node.post("/v1/users", twice, null).problem(400, "malformed-request");
    }

    @Test
    void theStatusOfAnUnknownUserCannotBeChanged() {
        node.setStatus(999_999_999, "disabled").problem(404, "user-not-found");
    }

    @Test
    void anUnknownAddressIsNotFound() {
        String token = node.administrator().token();

        node.get("/v1/users/999999999", token).problem(404, "user-not-found");
        node.get("/", token).problem(404, "not-found");
        node.get("/v1/nowhere", token).problem(404, "not-found");
        node.get("/error", token).problem(404, "not-found");
        node.get("/v1/nowhere", null).problem(401, "unauthenticated");
    }

    @Test
    void aMethodThatIsNotSupportedIsRefused() {
        Answer answer = node.get("/v1/login", null).problem(405, "method-not-allowed");

        assertThat(answer.response().headers().firstValue("Allow")).contains("POST");
        node.send("DELETE", "/v1/me", null, node.administrator().token()).problem(405, "method-not-allowed");
        node.send("TRACE", "/v1/login", null, null).problem(405, "method-not-allowed");
    }

    @Test
    void aBodyThatIsNotJsonIsRefused() {
        node.send(HttpRequest.newBuilder(node.address("/v1/login"))
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .POST(BodyPublishers.ofString("mobile=13800000000&password=secret99")))
                .problem(415, "unsupported-media-type");
        node.send(HttpRequest.newBuilder(node.address("/v1/login")).POST(BodyPublishers.ofString("{}")))
                .problem(415, "unsupported-media-type");
    }

    @Test
    void anAnswerCanBeJsonOnly() {
        node.send(HttpRequest.newBuilder(node.address("/v1/me"))
                        .header("Accept", "text/html")
                        .header(
                                "Authorization",
                                "Bearer " + node.administrator().token()))
                .problem(406, "not-acceptable");
        node.send(HttpRequest.newBuilder(node.address("/v1/me")).header("Accept", "text/html"))
                .problem(401, "unauthenticated");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/v1/users/1;a=b",
                "/v1//users",
                "/v1/%2e%2e/users",
                "/v1/users/1%2F2",
                "/v1/users/1%0a",
                "/v1/users/1%00",
                "/v1/users/%FF",
                "/v1/users/%C3%28"
            })
    void anAddressThatMightDeceiveIsRefused(String path) {
        node.get(path, node.administrator().token()).problem(400, "malformed-request");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            GET /v1/users/%zz HTTP/1.1 | 400
            GET /v1/users/{} HTTP/1.1  | 400
            NONSENSE                   | 400
            GET / HTTP/9.9             | 505
            """)
    void aRequestThatIsHardlyHttpIsAnsweredWithAProblem(String line, int status) throws IOException {
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), node.address("/").getPort())) {
            String request = line + "\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

            assertThat(answer)
                    .startsWith("HTTP/1.1 " + status + " ")
                    .contains("Content-Type: application/problem+json")
                    .contains("\"status\":" + status)
                    .doesNotContainIgnoringCase("exception");
        }
    }

    @Test
    void headersThatAreTooLargeAreRefused() {
        node.get("/v1/me", "x".repeat(20_000)).problem(400, "malformed-request");
    }
}
