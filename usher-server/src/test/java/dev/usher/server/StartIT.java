package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.server.Node.Pair;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.token.TokenIT;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The start of a node, alone and beside others. */
class StartIT {

    private static final String DATABASE = Node.newDatabase();

    @TempDir
    private static Path directory;

    /** With its key in a file, and without an administrator. */
    private static Node node;

    @BeforeAll
    static void start() throws IOException {
        Path file = Files.writeString(directory.resolve("key.pem"), Shared.KEY.pem());
        node = Node.start(Shared.REDIS.uri(), DATABASE, Map.of("usher.server.signing-key", file.toString()));
    }

    @AfterAll
    static void stop() {
        node.close();
    }

    @Test
    void nodesThatStartAtOnceShareOneKeyAndOneAdministrator() {
        Pair.OTHER.get("/v1/me", Pair.ONE.administrator().token()).with(200);

        assertThat(Pair.ROWS_AT_START).isEqualTo(Map.of("signing_keys", 1L, "user_roles", 1L, "users", 1L));
    }

    @Test
    void anAdministratorWhoIsThereIsLeftAlone() {
        long users = Shared.NODE.count("users");
        Map<String, String> other =
                Map.of("usher.server.admin.mobile", Node.newMobile(), "usher.server.admin.password", "another one 9");
        try (Node node = Node.start(Shared.REDIS.uri(), Shared.DATABASE, Node.with(Shared.WITH_KEY, other))) {
            assertThat(node.count("users")).isEqualTo(users);
            assertThat(node.count("user_roles")).isEqualTo(1);
            node.administrator().login();
        }
    }

    @Test
    void aUserIsNotPromotedBecauseOfAMobileNumber() {
        String mobile = node.register().mobile();
        Map<String, String> settings =
                Map.of("usher.server.admin.mobile", mobile, "usher.server.admin.password", Node.PASSWORD);

        assertThatThrownBy(() -> Node.start(Shared.REDIS.uri(), DATABASE, Node.with(Shared.WITH_KEY, settings)))
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

        assertThatThrownBy(() -> Node.start(Shared.REDIS.uri(), DATABASE, Node.with(Shared.WITH_KEY, settings)))
                .hasMessageContaining(fault)
                .hasMessageNotContaining(mobile);
    }

    @Test
    void theSigningKeyMayBeAFile() {
        User ann = node.register();

        node.get("/v1/me", ann.token()).with(200);
        node.get("/v1/me", Shared.KEY.sign(TokenIT.claims(ann.id()).build())).with(200);
        assertThat(node.count("signing_keys")).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "no-such-file.pem, names a file that cannot be read",
        "-----BEGIN PRIVATE KEY-----c2VjcmV0-----END PRIVATE KEY-----, usher.server.signing-key",
    })
    void aSigningKeyThatCannotBeReadIsRefusedWithoutAQuote(String setting, String fault) {
        assertThatThrownBy(() -> Node.start(Shared.REDIS.uri(), DATABASE, Map.of("usher.server.signing-key", setting)))
                .hasStackTraceContaining(fault)
                .satisfies(e -> assertThat(stackTrace(e)).doesNotContain("c2VjcmV0"));
    }

    @ParameterizedTest
    @CsvSource({
        "jdbc:mysql://127.0.0.1/users?password=s3cret, com.mysql:mysql-connector-j",
        "jdbc:h2:mem:users;PASSWORD=s3cret, spring.datasource.url should look like jdbc:postgresql:",
    })
    void aDatabaseWithoutADriverIsRefusedWithoutAQuote(String url, String fault) {
        assertThatThrownBy(() -> Node.start(Shared.REDIS.uri(), url, Shared.WITH_KEY))
                .hasStackTraceContaining(fault)
                .satisfies(e -> assertThat(stackTrace(e)).doesNotContain("s3cret"));
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_21)
    void itServesOnVirtualThreads() {
        Map<String, String> settings = Node.with(Shared.SETTINGS, Map.of("spring.threads.virtual.enabled", "true"));
        try (Node node = Node.start(Shared.REDIS.uri(), Node.newDatabase(), settings)) {
            User ann = node.register();
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
}
