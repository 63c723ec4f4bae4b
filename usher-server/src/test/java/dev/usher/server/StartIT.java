package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.server.Node.Shared;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a node does when it starts, alone and beside others. */
class StartIT {

    private static final Map<String, String> WITH_ADMINISTRATOR =
            Map.of("usher.server.admin.mobile", Node.ADMIN_MOBILE, "usher.server.admin.password", Node.PASSWORD);

    @Test
    void nodesThatStartAtOnceShareOneKeyAndOneAdministrator() {
        String database = Node.newDatabase();
        List<Node> nodes = Together.run(2, () -> Node.start(Shared.REDIS.uri(), database, WITH_ADMINISTRATOR));
        try (Node first = nodes.get(0);
                Node second = nodes.get(1)) {
            String token = first.administrator().token();

            second.get("/v1/me", token).with(200);
            assertThat(count(first, "signing_keys")).isEqualTo(1);
            assertThat(count(first, "user_roles")).isEqualTo(1);
            assertThat(count(first, "users")).isEqualTo(1);
        }
    }

    @Test
    void anAdministratorWhoIsThereIsLeftAlone() {
        String database = Node.newDatabase();
        Node.start(Shared.REDIS.uri(), database, WITH_ADMINISTRATOR).close();

        Map<String, String> other =
                Map.of("usher.server.admin.mobile", Node.newMobile(), "usher.server.admin.password", "another one 9");
        try (Node node = Node.start(Shared.REDIS.uri(), database, other)) {
            assertThat(count(node, "users")).isEqualTo(1);
            node.administrator().login();
        }
    }

    @Test
    void aUserIsNotPromotedBecauseOfAMobileNumber() {
        String database = Node.newDatabase();
        String mobile;
        try (Node node = Node.start(Shared.REDIS.uri(), database, Map.of())) {
            mobile = node.register().mobile();
        }

        assertThatThrownBy(() -> Node.start(
                        Shared.REDIS.uri(),
                        database,
                        Map.of("usher.server.admin.mobile", mobile, "usher.server.admin.password", Node.PASSWORD)))
                .hasMessageContaining("usher.server.admin.mobile")
                .hasMessageNotContaining(mobile);
    }

    @ParameterizedTest
    @CsvSource({
        "12345, correct horse, usher.server.admin.mobile must be",
        "13900000009, short, usher.server.admin.password must",
        "13900000009, , usher.server.admin.password is missing",
    })
    void anAdministratorWhoCannotBeIsRefusedWithoutAQuote(String mobile, String password, String fault) {
        Map<String, String> settings = password == null
                ? Map.of("usher.server.admin.mobile", mobile)
                : Map.of("usher.server.admin.mobile", mobile, "usher.server.admin.password", password);

        assertThatThrownBy(() -> Node.start(Shared.REDIS.uri(), Node.newDatabase(), settings))
                .hasMessageContaining(fault)
                .hasMessageNotContaining(mobile);
    }

    @Test
    void theSigningKeyMayBeAFile(@TempDir Path directory) throws IOException {
        SigningKey key = SigningKey.generate();
        Path file = Files.writeString(directory.resolve("key.pem"), key.pem());

        try (Node node = Node.start(
                Shared.REDIS.uri(), Node.newDatabase(), Map.of("usher.server.signing-key", file.toString()))) {
            node.get("/v1/me", node.register().token()).with(200);
            assertThat(count(node, "signing_keys")).isZero();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "no-such-file.pem, names a file that cannot be read",
        "-----BEGIN PRIVATE KEY-----c2VjcmV0-----END PRIVATE KEY-----, usher.server.signing-key",
    })
    void aSigningKeyThatCannotBeReadIsRefusedWithoutAQuote(String setting, String fault) {
        assertThatThrownBy(() ->
                        Node.start(Shared.REDIS.uri(), Node.newDatabase(), Map.of("usher.server.signing-key", setting)))
                .hasStackTraceContaining(fault)
                .satisfies(e -> assertThat(stackTrace(e)).doesNotContain("c2VjcmV0"));
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_21)
    void itServesOnVirtualThreads() {
        Map<String, String> settings = new HashMap<>(WITH_ADMINISTRATOR);
        settings.put("spring.threads.virtual.enabled", "true");
        try (Node node = Node.start(Shared.REDIS.uri(), Node.newDatabase(), settings)) {
            Node.User ann = node.register();
            String token = ann.token();

            List<Answer> answers =
                    Together.run(8, () -> node.get("/v1/me", ann.token()).with(200));

            assertThat(answers).hasSize(8);
            node.setStatus(ann.id(), "disabled").with(200);
            node.get("/v1/me", token).problem(403, "account-disabled");
        }
    }

    private static String stackTrace(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    private static long count(Node node, String table) {
        return node.jdbc()
                .sql("SELECT count(*) FROM " + table)
                .query(Long.class)
                .single();
    }
}
