package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.read.ListAppender;
import dev.usher.server.Node.Fragile;
import dev.usher.server.Node.OnMariaDb;
import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.MariaDbServer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.slf4j.LoggerFactory;

/** The log holds nothing personal and nothing secret, even at its most verbose level. */
class LogIT {

    private static final List<String> TALKATIVE = List.of(
            "dev.usher",
            "org.springframework.web",
            "org.springframework.security",
            "org.springframework.jdbc",
            "org.springframework.boot.web");

    @Test
    void neitherMobileNumbersNorPasswordsNorTokensAreLogged() {
        Node node = Shared.NODE;
        List<String> secrets = new ArrayList<>(List.of(Node.PASSWORD, Node.ADMIN_MOBILE, "wrong horse"));
        List<String> lines = logOf(() -> {
            User ann = node.register();
            secrets.add(ann.mobile());
            Answer tokens = ann.login();
            secrets.add(tokens.text("token"));
            secrets.add(tokens.text("fresh_token"));
            node.get("/v1/me", tokens.text("token")).with(200);
            node.get("/v1/users/" + ann.id(), node.administrator().token()).with(200);
            node.get("/v1/users/" + ann.id() + "x", tokens.text("token")).with(400);
            node.get("/v1/me", tokens.text("token") + "x").with(401);
            node.post("/v1/login", Map.of("mobile", ann.mobile(), "password", "wrong horse"), null)
                    .with(401);
            node.post("/v1/login", "{\"mobile\":\"" + ann.mobile() + "\",\"password\":\"wrong horse\"", null)
                    .with(400);
            node.post("/v1/login", Map.of("mobile", ann.mobile() + "x", "password", "wrong horse"), null)
                    .with(400);
            node.post("/v1/login", Map.of("mobile", List.of(ann.mobile()), "password", "wrong horse"), null)
                    .with(400);
            node.post("/v1/users", Map.of("mobile", ann.mobile(), "password", Node.PASSWORD, "name", "Ann"), null)
                    .with(409);
            String token = tokens.text("token");
            node.send("PATCH", "/v1/me", Map.of("name", "Bob", "mobile", ann.mobile()), token)
                    .with(400);
            node.send("PATCH", "/v1/me", Map.of("photo", List.of(ann.mobile())), token)
                    .with(400);
            node.send("PATCH", "/v1/me", Map.of("name", "Bob"), token).with(200);
            node.get("/v1/users?ids=1," + ann.id(), token).with(200);
            node.get("/v1/users?ids=" + ann.mobile() + "x", token).with(400);
            node.get("/v1/users?ids=1&%FF=" + ann.mobile(), token).with(400);
            String admin = node.administrator().token();
            secrets.add(admin);
            node.get("/v1/admin/users/" + ann.id() + "/cache", admin).with(200);
            node.send("DELETE", "/v1/admin/users/" + ann.id() + "/cache", null, admin)
                    .with(204);
            node.send("PUT", "/v1/admin/users/" + ann.id() + "/status", Map.of(ann.mobile(), 1), admin)
                    .with(400);
            node.get("/v3/api-docs", null).with(200);
            Map<String, String> refresh = Map.of("fresh_token", tokens.text("fresh_token"));
            secrets.add(node.post("/v1/token/refresh", refresh, null).with(200).text("fresh_token"));
            node.post("/v1/token/refresh", refresh, null).with(401);
            node.post("/v1/logout", "", token).with(401);
            String other = ann.token();
            secrets.add(other);
            node.post("/v1/logout", "", other).with(204);
            node.setStatus(ann.id(), "disabled").with(200);
            node.get("/v1/me", tokens.text("token")).with(403);
            ann.tryLogin().with(403);
        });

        assertThat(secrets).hasSize(9).allSatisfy(secret -> assertThat(lines).noneMatch(line -> line.contains(secret)));
    }

    /** Its messages quote the row, and its driver logs each of them. */
    @Tag("thorough")
    @Test
    @EnabledIf(value = "dev.usher.testkit.MariaDbServer#isThere", disabledReason = MariaDbServer.ABSENT)
    void neitherAreTheyWhereMariaDbRefusesARow() {
        Node node = OnMariaDb.NODE;
        List<String> mobiles = new ArrayList<>();
        List<String> lines = logOf(() -> {
            User ann = node.register();
            mobiles.add(ann.mobile());
            node.post("/v1/users", Map.of("mobile", ann.mobile(), "password", Node.PASSWORD, "name", "Ann"), null)
                    .with(409);
            ann.login();
        });

        assertThat(mobiles).hasSize(1).allSatisfy(mobile -> assertThat(lines).noneMatch(line -> line.contains(mobile)));
    }

    @Test
    void neitherKeysNorWhatWasGuessedIsLogged() {
        Map<String, String> settings = Map.of(
                "usher.server.admin.mobile",
                Node.ADMIN_MOBILE,
                "usher.server.admin.password",
                Node.PASSWORD,
                "usher.server.verification-keys[0]",
                Shared.KEY.pem(),
                "usher.server.attempts.per-mobile",
                "1");
        List<String> secrets = new ArrayList<>(List.of(keyOf(Shared.KEY.pem()), Node.ADMIN_MOBILE));
        // It starts first, because the start of a server resets the log.
        try (Node node = Node.start(Shared.REDIS.uri(), Node.newDatabase(), settings)) {
            Map<String, String> guess = Map.of("mobile", Node.newMobile(), "password", "wrong horse");
            secrets.addAll(guess.values());
            List<String> lines = logOf(() -> {
                node.post(
                                "/v1/admin/signing-keys",
                                Map.of(),
                                node.administrator().token())
                        .with(201);
                node.get("/.well-known/jwks.json", null).with(200);
                node.post("/v1/login", guess, null).with(401);
                node.post("/v1/login", guess, null).with(429);
            });
            node.jdbc()
                    .sql("SELECT private_key FROM signing_keys")
                    .query(String.class)
                    .list()
                    .forEach(pem -> secrets.add(keyOf(pem)));

            assertThat(secrets)
                    .hasSize(6)
                    .allSatisfy(secret -> assertThat(lines).noneMatch(line -> line.contains(secret)));
        }
    }

    @Test
    void aHashOfAnUnknownKindIsLoggedOnce() {
        Node node = Shared.NODE;
        User ann = node.register();
        node.jdbc()
                .sql("UPDATE users SET password_hash = '{unheard-of}x' WHERE id = ?")
                .param(ann.id())
                .update();

        List<String> lines = logOf(() -> {
            for (int i = 0; i < 3; i++) {
                ann.tryLogin().with(401);
            }
        });

        assertThat(lines)
                .filteredOn(line -> line.contains("is of an unknown kind"))
                .singleElement()
                .asString()
                .contains("user " + ann.id());
    }

    /** While the database is unreachable, each reason is logged once in ten seconds, in one line, for any number of any calls. */
    @Test
    void anOutageOfTheDatabaseIsALineForEachReasonAndNoStackTrace() {
        assertALineForEachReason(FaultProxy::refuse);
    }

    @Test
    @Tag("thorough")
    void aDatabaseThatHangsIsALineForEachReasonAndNoStackTrace() {
        assertALineForEachReason(FaultProxy::freeze);
    }

    private static void assertALineForEachReason(Consumer<FaultProxy> fault) {
        List<ILoggingEvent> events;
        try (Fragile fragile = Fragile.whole()) {
            Node node = fragile.node();
            User ann = node.register();
            User bob = node.register();
            Answer tokens = ann.login();
            String token = tokens.text("token");
            String administrators = node.administrator().token();
            Map<String, String> refresh = Map.of("fresh_token", tokens.text("fresh_token"));
            Map<String, String> registration =
                    Map.of("mobile", Node.newMobile(), "password", Node.PASSWORD, "name", "Ann");
            List<Supplier<Answer>> calls = List.of(
                    ann::tryLogin,
                    () -> node.get("/v1/users/" + Node.newAbsentId(), token),
                    () -> node.send("PATCH", "/v1/me", Map.of("name", "Bob"), token),
                    () -> node.post("/v1/token/refresh", refresh, null),
                    () -> node.post("/v1/logout", "", token),
                    () -> node.post("/v1/users", registration, null),
                    () -> node.setStatus(bob.id(), "disabled", administrators),
                    () -> node.post("/v1/admin/signing-keys", "", administrators),
                    () -> node.get("/actuator/health", null));
            // While it works: some calls are refused only because the keys are in the settings.
            calls.forEach(call -> assertThat(call.get().status()).isLessThan(500));
            AtomicInteger turn = new AtomicInteger();
            events = eventsOf(() -> {
                fault.accept(fragile.database());
                for (int i = 0; i < 2; i++) {
                    Together.run(
                            2 * calls.size(),
                            () -> calls.get(turn.getAndIncrement() % calls.size())
                                    .get());
                }
            });
        }

        // None at all where a test before has caused the same lines less than ten seconds ago. That they are written:
        // ProblemAdviceTest.
        assertThat(events)
                .allSatisfy(event ->
                        assertThat(event.getThrowableProxy()).as(text(event)).isNull());
        events.stream().collect(Collectors.groupingBy(LogIT::reason)).forEach((reason, lines) -> {
            for (int i = 1; i < lines.size(); i++) {
                assertThat(lines.get(i).getTimeStamp() - lines.get(i - 1).getTimeStamp())
                        .as(reason)
                        .isGreaterThan(9_900);
            }
        });
    }

    /** The subject of a line: of the lines of other libraries, the part that is always the same. */
    private static String reason(ILoggingEvent event) {
        boolean own = event.getLoggerName().startsWith("dev.usher");
        return event.getLoggerName() + " "
                + (own
                        ? event.getFormattedMessage().replaceAll(" [(]such lines left out.*", "")
                        : event.getMessage().replaceAll("[0-9]+", "0"));
    }

    /** A part of a key that no other key has, and that a log would show on one line. */
    private static String keyOf(String pem) {
        return pem.lines().skip(5).findFirst().orElseThrow().strip();
    }

    /** The log of an action, as an operator sees it. */
    private static List<ILoggingEvent> eventsOf(Runnable calls) {
        Logger root = ((LoggerContext) LoggerFactory.getILoggerFactory()).getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        root.addAppender(log);
        try {
            calls.run();
        } finally {
            root.detachAppender(log);
        }
        return List.copyOf(log.list);
    }

    /** The log of an action, with all loggers at their most verbose level. */
    private static List<String> logOf(Runnable calls) {
        LoggerContext loggers = (LoggerContext) LoggerFactory.getILoggerFactory();
        Logger root = loggers.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        ListAppender<ILoggingEvent> log = new ListAppender<>();
        log.start();
        root.addAppender(log);
        TALKATIVE.forEach(name -> loggers.getLogger(name).setLevel(Level.DEBUG));
        try {
            calls.run();
        } finally {
            TALKATIVE.forEach(name -> loggers.getLogger(name).setLevel(null));
            root.detachAppender(log);
        }
        assertThat(log.list).isNotEmpty();
        return log.list.stream().map(LogIT::text).toList();
    }

    private static String text(ILoggingEvent event) {
        IThrowableProxy failure = event.getThrowableProxy();
        return event.getLoggerName() + " " + event.getFormattedMessage()
                + (failure == null ? "" : ThrowableProxyUtil.asString(failure));
    }
}
