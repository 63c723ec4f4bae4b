package dev.usher.server.web;

import static java.util.Map.entry;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Pair;
import dev.usher.server.Node.User;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.util.RawValue;

/** The document is true: to any request for one of its operations, the server gives an answer that it describes. */
class OpenApiIT {

    private static final JsonMapper MAPPER = new JsonMapper();

    private static final List<String> HOSTILE_IDS = List.of(
            "0",
            "-1",
            "x",
            "1.5",
            "1e3",
            "0x1f",
            "99999999999999999999",
            "9223372036854775807",
            "%FF",
            "%00",
            "1%0a2",
            "1%202",
            "..%2f..",
            "%EF%BC%91",
            "null",
            "'--",
            "1;a=b",
            "x".repeat(3000));

    private static final List<String> HOSTILE_VALUES = List.of(
            "null",
            "1",
            "-9223372036854775809",
            "1e400",
            "true",
            "[]",
            "{}",
            "\"\"",
            "\" \"",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "\"\\u202e<script>\"",
            "\"" + "x".repeat(3000) + "\"",
            "\"" + "x".repeat(100_000) + "\"",
            "[".repeat(100) + "]".repeat(100),
            "1".repeat(2000));

    private static final List<byte[]> HOSTILE_BODIES = Stream.concat(
                    Stream.of(
                                    "",
                                    "null",
                                    "[]",
                                    "[{}]",
                                    "1",
                                    "\"text\"",
                                    "{",
                                    "{} {}",
                                    "{\"a\":1,\"a\":2}",
                                    "{\"\":{}}",
                                    "[".repeat(10_000),
                                    "{\"a\":".repeat(1000),
                                    "mobile=1&password=2",
                                    "\u0000")
                            .map(text -> text.getBytes(StandardCharsets.UTF_8)),
                    Stream.of(
                            bytes(0xff, 0xfe),
                            bytes(0xef, 0xbb, 0xbf),
                            bytes(0, 0, 0, 0x7b, 0xff, 0xff, 0xff, 0xff),
                            bytes('{', '"', 0xc3, 0x28, '"', ':', '1', '}'),
                            bytes('{', '"', 'n', 'a', 'm', 'e', '"', ':', '"', 0xff, '"', '}'),
                            bytes('{', '"', 'n', 'a', 'm', 'e', '"', ':', '"', 0xed, 0xa0, 0x80, '"', '}'),
                            "{\"status\":\"enabled\"}".getBytes(StandardCharsets.UTF_16),
                            new byte[10_000_000]))
            .toList();

    private static final List<String> HOSTILE_TYPES = List.of(
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/json;charset=none",
            "application/json;charset=\"",
            "application/json;charset=utf-16",
            "application/json-patch+json",
            "*/*",
            "json",
            "/");

    private static final List<String> HOSTILE_ACCEPTS =
            List.of("text/html", "application/xml", "image/*", "none", "*/*;q=x", "application/json;q=0", ",", "/");

    /** With keys of its own, for those of the settings cannot be rotated. */
    private final Node node = Pair.ONE;

    private final User ann = node.register();
    private final String users = ann.token();
    private final String administrators = node.administrator().token();
    private final JsonNode document = node.get("/v3/api-docs", null).with(200).json();

    private final Map<JsonNode, Schema> compiledSchemas = new HashMap<>();

    /** A call that succeeds. */
    private record Call(
            String path, @Nullable String body, @Nullable String token) {}

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    /** Valid input for each operation; a new operation is added here. */
    private Map<String, Call> calls() {
        Answer login = ann.login();
        String credentials = "{\"mobile\":\"" + ann.mobile() + "\",\"password\":\"" + Node.PASSWORD + "\"";
        String another = "{\"mobile\":\"" + Node.newMobile() + "\",\"password\":\"" + Node.PASSWORD + "\"";
        String admin = "/v1/admin/users/" + ann.id();
        User bob = node.register();
        String passwords = "{\"old_password\":\"" + Node.PASSWORD + "\",\"new_password\":\"" + Node.PASSWORD + "\"}";
        String session = node.get("/v1/me/sessions", bob.token())
                .json()
                .path(0)
                .path("id")
                .asString();
        return Map.ofEntries(
                entry(
                        "post /v1/users",
                        new Call("/v1/users", another + ",\"name\":\"Bob\",\"intro\":\"a\\nb\"}", null)),
                entry("get /v1/users", new Call("/v1/users?ids=1," + ann.id() + ",999999999", null, users)),
                entry("post /v1/login", new Call("/v1/login", credentials + "}", null)),
                entry(
                        "post /v1/token/refresh",
                        new Call("/v1/token/refresh", "{\"fresh_token\":\"" + login.text("fresh_token") + "\"}", null)),
                entry("post /v1/logout", new Call("/v1/logout", null, login.text("token"))),
                entry(
                        "post /v1/logout/all",
                        new Call("/v1/logout/all", null, node.register().token())),
                entry("get /v1/me/sessions", new Call("/v1/me/sessions", null, users)),
                entry("delete /v1/me/sessions/{id}", new Call("/v1/me/sessions/" + session, null, bob.token())),
                entry(
                        "post /v1/me/password",
                        new Call("/v1/me/password", passwords, node.register().token())),
                entry(
                        "delete /v1/admin/users/{id}/sessions",
                        new Call("/v1/admin/users/" + node.register().id() + "/sessions", null, administrators)),
                entry("get /v1/me", new Call("/v1/me", null, users)),
                entry("patch /v1/me", new Call("/v1/me", "{\"name\":\"Bob\",\"photo\":null}", users)),
                entry(
                        "patch /v1/admin/users/{id}",
                        new Call(admin, "{\"is_media\":true,\"certi\":null}", administrators)),
                entry("get /v1/users/{id}", new Call("/v1/users/" + ann.id(), null, users)),
                entry(
                        "put /v1/admin/users/{id}/status",
                        new Call(admin + "/status", "{\"status\":\"enabled\"}", administrators)),
                entry("put /v1/admin/users/{id}/roles", new Call(admin + "/roles", "{\"roles\":[]}", administrators)),
                entry("get /v1/admin/users/{id}/cache", new Call(admin + "/cache", null, administrators)),
                entry("delete /v1/admin/users/{id}/cache", new Call(admin + "/cache", null, administrators)),
                entry("post /v1/admin/signing-keys", new Call("/v1/admin/signing-keys", null, administrators)),
                entry("get /.well-known/jwks.json", new Call("/.well-known/jwks.json", null, null)));
    }

    @Test
    void everyOperationOfTheServerIsDocumentedAndNothingElse() {
        List<String> mapped = node
                .bean("requestMappingHandlerMapping", RequestMappingHandlerMapping.class)
                .getHandlerMethods()
                .entrySet()
                .stream()
                .filter(mapping ->
                        mapping.getValue().getBeanType().getPackageName().startsWith("dev.usher.server"))
                .filter(mapping -> mapping.getValue().getBeanType() != ProblemResponses.class)
                .flatMap(mapping -> mapping.getKey().getPatternValues().stream()
                        .flatMap(path -> mapping.getKey().getMethodsCondition().getMethods().stream()
                                .map(method -> method.name().toLowerCase(Locale.ROOT) + " " + path)))
                .toList();

        assertThat(operations().keySet()).containsExactlyInAnyOrderElementsOf(mapped);
    }

    @Test
    void everyOperationHasASummaryAndDescribesItsFailures() {
        operations().forEach((name, operation) -> {
            assertThat(operation.path("summary").asString()).as(name).isNotBlank();
            operation.path("responses").properties().forEach(response -> {
                int status = Integer.parseInt(response.getKey());
                if (status >= 400) {
                    assertThat(response.getValue().path("content").propertyNames())
                            .as(name + " " + status)
                            .containsExactly("application/problem+json");
                    assertThat(response.getValue().findValue("enum").valueStream())
                            .as(name + " " + status)
                            .doesNotHaveDuplicates();
                }
            });
        });
        assertThat(document.at("/components/securitySchemes/bearer/scheme").asString())
                .isEqualTo("bearer");
        assertThat(document.at("/servers/0/url").asString()).isEqualTo("/");
    }

    @Test
    void validInputIsValidByTheDocumentAndAnsweredAsItSays() {
        Map<String, Call> calls = calls();
        List<String> faults = new ArrayList<>();
        operations().forEach((name, operation) -> {
            Call call = requireNonNull(calls.get(name), () -> "valid input for " + name);
            if (call.body() != null) {
                operation
                        .path("requestBody")
                        .path("content")
                        .forEach(content -> faults.addAll(errors(name, content.path("schema"), call.body())));
            }
            Answer answer = node.send(request(name, call));
            assertThat(answer.status()).as(name).isBetween(200, 299);
            faults.addAll(faults(name, "valid input", operation, answer));
        });

        assertThat(faults).isEmpty();
    }

    @Test
    void hostileInputIsAnsweredAsTheDocumentSays() {
        Map<String, Call> calls = calls();
        List<String> faults = new ArrayList<>();
        operations()
                .forEach((name, operation) -> hostile(name, operation, requireNonNull(calls.get(name)))
                        .forEach((what, request) -> faults.addAll(faults(name, what, operation, node.send(request)))));

        assertThat(faults).isEmpty();
    }

    private Map<String, HttpRequest.Builder> hostile(String name, JsonNode operation, Call call) {
        Map<String, HttpRequest.Builder> requests = new LinkedHashMap<>();
        requests.put("no token", request(name, new Call(call.path(), call.body(), null)));
        for (String token : List.of("x", "a.b.c", "x".repeat(5000), users)) {
            requests.put("token " + shown(token), request(name, new Call(call.path(), call.body(), token)));
        }
        requests.put("no bearer", request(name, call).setHeader("Authorization", "Basic YTpi"));
        requests.put(
                "an unreadable query",
                request(name, with(call, path -> path + (path.contains("?") ? "&" : "?") + "%FF=%C3")));
        requests.put(
                "a token in the query",
                request(name, with(call, path -> path + (path.contains("?") ? "&" : "?") + "access_token=x")));
        for (String id : HOSTILE_IDS) {
            if (name.contains("{id}")) {
                requests.put(
                        "id " + shown(id),
                        request(name, with(call, path -> path.replaceAll("/([0-9]+|[0-9a-f-]{36})", "/" + id))));
            }
            for (JsonNode parameter : operation.path("parameters")) {
                if (parameter.path("in").asString().equals("query")) {
                    String query = "?" + parameter.path("name").asString() + "=";
                    requests.put(
                            "query " + shown(id),
                            request(name, with(call, path -> path.replaceAll("[?].*", query + id))));
                    requests.put("no query", request(name, with(call, path -> path.replaceAll("[?].*", ""))));
                }
            }
        }
        for (String accept : HOSTILE_ACCEPTS) {
            requests.put("Accept " + accept, request(name, call).header("Accept", accept));
        }
        for (String type : HOSTILE_TYPES) {
            requests.put("Content-Type " + type, request(name, call).setHeader("Content-Type", type));
        }
        for (byte[] body : HOSTILE_BODIES) {
            String text = new String(body, StandardCharsets.UTF_8);
            requests.put(
                    "body " + shown(text), request(name, call).method(method(name), BodyPublishers.ofByteArray(body)));
        }
        if (call.body() != null) {
            ObjectNode valid = (ObjectNode) MAPPER.readTree(call.body());
            for (String field : valid.propertyNames()) {
                for (String value : HOSTILE_VALUES) {
                    requests.put(shown(field) + " " + shown(value), request(name, with(call, valid, field, value)));
                }
            }
            for (String field : List.of("id", "mobile", "unknown", "<script>".repeat(100))) {
                for (String value : List.of("null", "{}")) {
                    requests.put(shown(field) + " " + shown(value), request(name, with(call, valid, field, value)));
                }
            }
        }
        return requests;
    }

    private static Call with(Call call, ObjectNode valid, String field, String value) {
        ObjectNode body = valid.deepCopy().putRawValue(field, new RawValue(value));
        return new Call(call.path(), body.toString(), call.token());
    }

    private static Call with(Call call, UnaryOperator<String> path) {
        return new Call(path.apply(call.path()), call.body(), call.token());
    }

    private static String shown(String text) {
        return text.length() > 40 ? text.substring(0, 40) + "… (" + text.length() + ")" : text;
    }

    private static String method(String name) {
        return name.substring(0, name.indexOf(' ')).toUpperCase(Locale.ROOT);
    }

    private HttpRequest.Builder request(String name, Call call) {
        HttpRequest.Builder request = HttpRequest.newBuilder(node.address(call.path()))
                .header("Content-Type", "application/json")
                .method(
                        method(name),
                        call.body() == null ? BodyPublishers.noBody() : BodyPublishers.ofString(call.body()));
        if (call.token() != null) {
            request.header("Authorization", "Bearer " + call.token());
        }
        return request;
    }

    private Map<String, JsonNode> operations() {
        Map<String, JsonNode> operations = new LinkedHashMap<>();
        document.path("paths")
                .properties()
                .forEach(path -> path.getValue()
                        .properties()
                        .forEach(operation ->
                                operations.put(operation.getKey() + " " + path.getKey(), operation.getValue())));
        return operations;
    }

    /** The differences between an answer and the document. */
    private List<String> faults(String name, String what, JsonNode operation, Answer answer) {
        String where = name + ", " + what + ": " + answer.status();
        HttpResponse<String> response = answer.response();
        JsonNode documented = operation.path("responses").path(Integer.toString(answer.status()));
        if (documented.isMissingNode()) {
            return List.of(where + " is not documented: " + shown(response.body()));
        }
        List<String> faults = new ArrayList<>();
        for (String header : List.of(
                "Retry-After",
                "WWW-Authenticate",
                "Location",
                "Age",
                "Cache-Status",
                "Usher-Visible-Within",
                "Usher-Confirmed")) {
            if (response.headers().firstValue(header).isPresent()
                    && !documented.path("headers").has(header)) {
                faults.add(where + " has the header " + header);
            }
        }
        Optional<String> type = response.headers().firstValue("Content-Type");
        JsonNode content = documented.path("content");
        if (content.isMissingNode()) {
            if (!response.body().isEmpty()) {
                faults.add(where + " has a body");
            }
        } else if (type.isEmpty() || !content.has(type.get())) {
            faults.add(where + " is " + type);
        } else {
            faults.addAll(errors(where, content.path(type.get()).path("schema"), response.body()));
        }
        return faults;
    }

    private List<String> errors(String where, JsonNode schema, String body) {
        Schema compiled = compiledSchemas.computeIfAbsent(schema, this::compile);
        return compiled.validate(MAPPER.readTree(body)).stream()
                .map(error -> where + ": " + error)
                .toList();
    }

    private Schema compile(JsonNode schema) {
        ObjectNode root = MAPPER.createObjectNode();
        root.set("components", document.path("components"));
        root.putArray("allOf").add(schema);
        return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                .getSchema(root);
    }
}
