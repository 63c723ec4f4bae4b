package dev.usher.server.attempt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Answer;
import dev.usher.server.Node;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.server.Together;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.security.crypto.password.PasswordEncoder;

/** The answers to too many attempts, and what they cost the server. */
class AttemptsIT {

    private static final int LIMIT = 3;
    private static final AtomicInteger COMPARED = new AtomicInteger();
    private static final AtomicInteger HASHED = new AtomicInteger();
    private static final String DATABASE = Node.newDatabase();
    private static final Node NODE = node(Map.of()).believing();

    private static final Map<String, String> FEW_OF_AN_ADDRESS =
            Map.of("usher.server.attempts.per-address", "1", "usher.server.attempts.registrations-per-address", "2");

    private static final Node OF_ONE_ADDRESS = node(FEW_OF_AN_ADDRESS);

    @AfterAll
    static void close() {
        NODE.close();
        OF_ONE_ADDRESS.close();
    }

    @Test
    void aGuesserIsToldToWaitBeforeAnythingIsQueriedOrCompared() {
        User ann = NODE.register();
        for (int i = 0; i < LIMIT; i++) {
            logIn(ann.mobile(), "wrong horse").problem(401, "bad-credentials");
        }
        NODE.statements();
        COMPARED.set(0);

        // Not even with the right password, or the guesser would learn it.
        Answer answer = logIn(ann.mobile(), Node.PASSWORD).problem(429, "too-many-attempts");

        assertThat(answer.response().headers().firstValue("Retry-After"))
                .hasValueSatisfying(
                        seconds -> assertThat(Integer.parseInt(seconds)).isBetween(1, 200));
        assertThat(NODE.statements()).isEmpty();
        assertThat(COMPARED).hasValue(0);
        NODE.register().login();
    }

    @Test
    void anUnknownMobileNumberIsLimitedLikeAKnownOneAndADisabledUserToo() {
        User ann = NODE.register();
        NODE.jdbc()
                .sql("UPDATE users SET status = 0 WHERE id = ?")
                .param(ann.id())
                .update();
        String unregistered = Node.newMobile();
        for (int i = 0; i < LIMIT; i++) {
            logIn(unregistered, Node.PASSWORD).problem(401, "bad-credentials");
            ann.tryLogin().problem(403, "account-disabled");
        }
        logIn(unregistered, Node.PASSWORD).problem(429, "too-many-attempts");
        ann.tryLogin().problem(429, "too-many-attempts");
    }

    @Test
    void successfulLoginsAreNotLimited() {
        User ann = NODE.register();
        for (int i = 0; i < 2 * LIMIT; i++) {
            ann.login();
        }
    }

    @Test
    void anUnreadableRequestDoesNotCount() {
        User ann = NODE.register();
        for (int i = 0; i < 2 * LIMIT; i++) {
            NODE.post("/v1/login", Map.of("mobile", ann.mobile()), null).problem(400, "invalid-field");
        }
        ann.login();
    }

    @Test
    void anUnknownMobileNumberAWrongPasswordAndADisabledUserCostTheSame() {
        User ann = NODE.register();
        User bob = NODE.register();
        NODE.jdbc()
                .sql("UPDATE users SET status = 0 WHERE id = ?")
                .param(bob.id())
                .update();
        Map<String, String> refused = Map.of(
                Node.newMobile(), Node.PASSWORD,
                ann.mobile(), "wrong horse",
                bob.mobile(), Node.PASSWORD);

        refused.forEach((mobile, password) -> {
            NODE.statements();
            COMPARED.set(0);
            HASHED.set(0);

            assertThat(logIn(mobile, password).status()).isIn(401, 403);

            assertThat(NODE.statements()).hasSize(1);
            assertThat(COMPARED).hasValue(1);
            assertThat(HASHED).hasValue(0);
        });
    }

    @Test
    void anAddressThatRegistersTooOftenIsToldToWaitBeforeAnythingIsHashed() {
        Node node = OF_ONE_ADDRESS;
        node.register();
        node.register();
        node.statements();
        HASHED.set(0);

        node.post("/v1/users", Map.of("mobile", Node.newMobile(), "password", Node.PASSWORD, "name", "Ann"), null)
                .problem(429, "too-many-attempts");

        assertThat(HASHED).hasValue(0);
        assertThat(node.statements()).isEmpty();
    }

    @Test
    void aForwardedAddressIsBelievedOnlyBehindAProxy() {
        logIn(OF_ONE_ADDRESS, "198.51.100.1").problem(401, "bad-credentials");
        logIn(OF_ONE_ADDRESS, "198.51.100.2").problem(429, "too-many-attempts");
        try (Node node = node(Node.with(FEW_OF_AN_ADDRESS, Map.of("server.forward-headers-strategy", "native")))) {
            logIn(node, "198.51.100.1").problem(401, "bad-credentials");
            logIn(node, "198.51.100.2").problem(401, "bad-credentials");
            logIn(node, "198.51.100.2").problem(429, "too-many-attempts");
            // The caller has written the addresses before the last one.
            logIn(node, "203.0.113.9, 198.51.100.1").problem(429, "too-many-attempts");
        }
    }

    @Test
    @Tag("thorough") // starts two servers of its own
    void ofEightyGuessesAtOnceOnTwoServersThatHaveJustStartedTenAreCompared() {
        Map<String, String> settings = Map.of(
                "usher.server.attempts.per-mobile", "10",
                "usher.key-prefix", "guesses",
                "usher.redis.command-timeout", "1s");
        try (Node one = node(settings);
                Node other = node(settings)) {
            Map<String, String> guess = Map.of("mobile", one.register().mobile(), "password", "wrong horse");
            AtomicInteger turn = new AtomicInteger();
            COMPARED.set(0);

            List<Integer> answers = Together.run(
                    80,
                    () -> (turn.incrementAndGet() % 2 == 0 ? one : other)
                            .post("/v1/login", guess, null)
                            .status());

            assertThat(answers).containsOnly(401, 429);
            // Fewer on a busy machine, where an answer of Redis may take longer than the timeout.
            assertThat(COMPARED.get()).isBetween(1, 10).isEqualTo(Collections.frequency(answers, 401));
        }
    }

    /** As for any caller that counts ids. */
    @Test
    void aCallerWhoReadsTooManyOthersIsToldToWaitAndStillReadsTheirOwnProfile() {
        User ann = NODE.register();
        String token = ann.token();
        String ids = LongStream.range(0, 200)
                .mapToObj(any -> Long.toString(Node.newAbsentId()))
                .collect(Collectors.joining(","));
        NODE.get("/v1/users?ids=" + ann.id(), token).with(200);
        NODE.get("/v1/users?ids=" + ids, token).with(200);
        NODE.statements();

        for (String path : List.of("/v1/users?ids=" + ids, "/v1/users/" + Node.newAbsentId())) {
            Answer answer = NODE.get(path, token).problem(429, "too-many-reads");
            assertThat(answer.response().headers().firstValue("Retry-After")).isPresent();
        }

        assertThat(NODE.statements()).isEmpty();
        NODE.get("/v1/me", token).with(200);
        NODE.get("/v1/users/" + ann.id(), token).with(200);
        NODE.get("/v1/users?ids=" + ids, NODE.register().token()).with(200);
    }

    private static Node node(Map<String, String> settings) {
        Map<String, String> all = new HashMap<>(Map.of(
                "usher.key-prefix",
                "attempts-" + HASHED.hashCode() + "-" + settings.hashCode(),
                "usher.server.signing-key",
                Shared.KEY.pem(),
                "usher.server.attempts.per-mobile",
                Integer.toString(LIMIT),
                "usher.server.reads.per-caller",
                "200",
                "usher.server.reads.window",
                "1d"));
        all.putAll(settings);
        return Node.start(Shared.REDIS.uri(), DATABASE, all, new CountedPasswords());
    }

    private static Answer logIn(Node node, String forwardedFor) {
        return node.send(
                node.request("POST", "/v1/login", Map.of("mobile", Node.newMobile(), "password", "wrong"), null)
                        .header("X-Forwarded-For", forwardedFor));
    }

    private static Answer logIn(String mobile, String password) {
        return NODE.post("/v1/login", Map.of("mobile", mobile, "password", password), null);
    }

    /** Counts the operations that take time. */
    private static final class CountedPasswords implements BeanPostProcessor {

        @Override
        public Object postProcessAfterInitialization(Object bean, String name) {
            if (!(bean instanceof PasswordEncoder passwords)) {
                return bean;
            }
            return new PasswordEncoder() {
                @Override
                public @Nullable String encode(@Nullable CharSequence password) {
                    HASHED.incrementAndGet();
                    return passwords.encode(password);
                }

                @Override
                public boolean matches(@Nullable CharSequence password, @Nullable String hash) {
                    COMPARED.incrementAndGet();
                    return passwords.matches(password, hash);
                }
            };
        }
    }
}
