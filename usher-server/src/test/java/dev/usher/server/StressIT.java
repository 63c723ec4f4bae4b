package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jwt.JWTClaimsSet;
import dev.usher.server.Node.Shared;
import dev.usher.server.SlowSenders.Kind;
import dev.usher.server.SlowSenders.Sender;
import dev.usher.server.SteadyCalls.Result;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.awaitility.core.ConditionTimeoutException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DriverManagerDataSource;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.crypto.factory.PasswordEncoderFactories;
import org.springframework.security.crypto.password.PasswordEncoder;

/**
 * What users whom memory knows see of the server while others are slow, many, or wait for what does not answer: as a table, with a row
 * for each load.
 *
 * <p>{@code ./usher dev stress} takes ten seconds for each, and holds the server to its times. The short form runs beside other
 * builds, which stop all calls of this one for a second now and then: it looks at the median, which is seconds where threads are held.
 */
@Tag("thorough")
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class StressIT {

    private static final int SECONDS = Integer.getInteger("usher.stress.seconds", 2);
    private static final boolean IS_SHORT = SECONDS < 10;
    private static final int[] MISSES_A_SECOND = IS_SHORT ? new int[] {100} : new int[] {100, 1000};
    private static final int KNOWN = 50;
    private static final int CALLERS = 230;

    /** As many ids as no test has asked for, from this one on. */
    private static final long UNKNOWN = 10_000_000;

    private static final String PREFIX = "stress";
    private static final RedisServer REDIS = RedisServer.start();
    private static final FaultProxy POSTGRES = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port());
    private static final String DATABASE = Node.newDatabase();
    private static final Map<String, String> SETTINGS = Node.with(
            Shared.WITH_KEY,
            Map.of(
                    "usher.key-prefix",
                    PREFIX,
                    // The short form runs on a busy machine.
                    "usher.redis.command-timeout",
                    IS_SHORT ? "1s" : "100ms",
                    "usher.server.limits.head-timeout",
                    IS_SHORT ? "2s" : "5s",
                    "usher.server.limits.body-timeout",
                    IS_SHORT ? "2s" : "5s",
                    "spring.datasource.hikari.connection-timeout",
                    IS_SHORT ? "1000" : "3000",
                    "spring.datasource.hikari.data-source-properties.socketTimeout",
                    IS_SHORT ? "2" : "5",
                    // As in production: other tests hash cheap passwords, many at once.
                    "usher.server.passwords.max-at-once",
                    "0",
                    // A few callers read for all strangers.
                    "usher.server.reads.per-caller",
                    "0",
                    "spring.datasource.hikari.minimum-idle",
                    "10"));
    private static final JdbcClient JDBC = JdbcClient.create(
            new DriverManagerDataSource(DATABASE, Shared.POSTGRES.username(), Shared.POSTGRES.password()));
    private static final List<String> TABLE = Collections.synchronizedList(new ArrayList<>());

    private static Node node;
    private static List<String> known;
    private static List<String> callers;
    private static String administrator;

    @TempDir
    private static Path directory;

    @BeforeAll
    static void start() throws IOException {
        node = start(Node.through(POSTGRES, DATABASE), "server.log");
        List<Long> ids = add(1 + KNOWN + CALLERS, Node.PASSWORD);
        administrator = token(ids.get(0), List.of("admin"));
        JDBC.sql("INSERT INTO user_roles (user_id, role) VALUES (?, 'admin')")
                .param(ids.get(0))
                .update();
        known = ids.subList(1, 1 + KNOWN).stream()
                .map(id -> token(id, List.of()))
                .toList();
        callers = ids.subList(1 + KNOWN, ids.size()).stream()
                .map(id -> token(id, List.of()))
                .toList();
        for (int i = 0; i < 3; i++) {
            known.forEach(token -> node.get("/v1/me", token).with(200));
            callers.forEach(token -> node.get("/v1/me", token).with(200));
            node.get("/actuator/health", administrator).with(200);
        }
        if (!IS_SHORT) {
            warmUp();
        }
        row("0 nothing else", null);
    }

    @AfterAll
    static void end() throws IOException {
        node.close();
        POSTGRES.close();
        REDIS.close();
        System.out.printf("%-52s %8s %8s %8s %8s  %s%n", "load", "p50", "p99", "longest", "failures", "the others");
        TABLE.stream().sorted().forEach(System.out::println);
    }

    @Test
    void profilesAreChangedWhileAnotherNodeIsLost() throws Exception {
        try (LostNode lost = new LostNode(PREFIX, REDIS)) {
            lost.fallSilent();
            Result known = row("1 230 callers change profiles, a node is lost", profileChanges());
            requireAnswered(known, Duration.ofMillis(100));
        }
    }

    @Test
    void profilesAreChangedWhileRedisIsFull() {
        try {
            redis("maxmemory", "1");
            Result known = row("1 230 callers change profiles, Redis is full", profileChanges());
            requireAnswered(known, Duration.ofMillis(100));
        } finally {
            redis("maxmemory", "0");
            awaitWell();
        }
    }

    @Test
    void usersAreBannedWhileAnotherNodeIsLost() throws Exception {
        List<Long> ids = add(CALLERS, Node.PASSWORD);
        try (LostNode lost = new LostNode(PREFIX, REDIS)) {
            lost.fallSilent();
            Result known = row(
                    "1 100 bans a second, a node is lost",
                    new SteadyCalls(
                            100,
                            CALLERS,
                            n -> node.request(
                                    "PUT",
                                    "/v1/admin/users/" + ids.get((int) (n % ids.size())) + "/status",
                                    Map.of("status", n / ids.size() % 2 == 0 ? "disabled" : "enabled"),
                                    administrator)));
            requireAnswered(known, Duration.ofMillis(100));
        }
    }

    @Test
    void missesWaitForADatabaseThatIsFrozen() {
        try {
            POSTGRES.freeze();
            List<Result> rows = IntStream.of(MISSES_A_SECOND)
                    .mapToObj(rate -> row("2 " + rate + " misses a second, the database is frozen", misses(rate)))
                    .toList();
            rows.forEach(known -> requireAnswered(known, Duration.ofMillis(50)));
        } finally {
            POSTGRES.restore();
            awaitWell();
        }
    }

    @Test
    void missesAskADatabaseThatIsDown() {
        try {
            POSTGRES.refuse();
            List<Result> rows = IntStream.of(MISSES_A_SECOND)
                    .mapToObj(rate -> row("2 " + rate + " misses a second, the database is down", misses(rate)))
                    .toList();
            rows.forEach(known -> requireAnswered(known, Duration.ofMillis(150)));
        } finally {
            POSTGRES.restore();
            awaitWell();
        }
    }

    @Test
    void requestsAreSentByteByByte() throws IOException {
        int count = IS_SHORT ? 260 : 1000;
        List<Kind> kinds = List.of(
                Kind.A_HEAD_BYTE_BY_BYTE, Kind.A_BODY_BYTE_BY_BYTE, Kind.A_BODY_THAT_STOPS, Kind.A_CHUNK_BYTE_BY_BYTE);
        try (SlowSenders senders = new SlowSenders(node.address("/").getPort(), kinds, count / kinds.size());
                SteadyCalls health = new SteadyCalls(5, 50, n -> node.request("GET", "/actuator/health", null, null))) {
            Result known = row("3 " + count + " senders of slow heads and bodies", null);
            Map<Kind, Long> left = Map.of();
            try {
                await().atMost(Duration.ofSeconds(15))
                        .until(() -> senders.all().stream().allMatch(Sender::isCutOff));
            } catch (ConditionTimeoutException e) {
                left = senders.all().stream()
                        .filter(sender -> !sender.isCutOff())
                        .collect(Collectors.groupingBy(Sender::kind, Collectors.counting()));
            }
            Duration longest = senders.all().stream()
                    .map(Sender::cutOffAfter)
                    .max(Duration::compareTo)
                    .orElseThrow();
            Result healthy = health.end();
            note(String.format(
                    Locale.ROOT,
                    "3   health p99 %s, %d failures; the last sender cut off after %s, not cut off %s",
                    text(healthy.percentile(0.99)),
                    healthy.failures(),
                    text(longest),
                    left));
            assertThat(left).isEmpty();
            assertThat(longest).isLessThan(Duration.ofSeconds(IS_SHORT ? 15 : 10));
            assertThat(healthy.failures()).isZero();
            requireAnswered(known, Duration.ofMillis(100));
        }
    }

    @Test
    void manyLogInWithTheRightPassword() {
        // So many that no two logins under way are of the same user: failed and unfinished ones of a user are limited.
        List<String> mobiles = mobiles(480, Node.PASSWORD);
        Result known = row(
                "5 48 logins at once, with the right password",
                new SteadyCalls(
                        200,
                        48,
                        n -> node.request(
                                "POST",
                                "/v1/login",
                                Map.of("mobile", mobiles.get((int) (n % mobiles.size())), "password", Node.PASSWORD),
                                null)));
        requireAnswered(known, Duration.ofMillis(300));
    }

    @Test
    void usersAreBannedWhileTheyLogIn() {
        List<String> mobiles = mobiles(48, Node.PASSWORD);
        List<Answer> afterReceipt = Collections.synchronizedList(new ArrayList<>());
        AtomicInteger answered = new AtomicInteger();
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (String mobile : mobiles) {
            long id = idOf(mobile);
            AtomicBoolean isConfirmed = new AtomicBoolean();
            all.add(CompletableFuture.runAsync(
                    () -> {
                        Answer answer =
                                node.post("/v1/login", Map.of("mobile", mobile, "password", Node.PASSWORD), null);
                        if (answer.status() == 200) {
                            answered.incrementAndGet();
                            if (isConfirmed.get()) {
                                afterReceipt.add(answer);
                            }
                        }
                    },
                    thread -> new Thread(thread).start()));
            all.add(CompletableFuture.runAsync(
                    () -> isConfirmed.set(setStatus(id, "disabled")), thread -> new Thread(thread).start()));
        }
        all.forEach(CompletableFuture::join);
        mobiles.forEach(mobile -> setStatus(idOf(mobile), "enabled"));
        long renewed = afterReceipt.stream()
                .filter(login -> node.post("/v1/token/refresh", Map.of("fresh_token", login.text("fresh_token")), null)
                                .status()
                        == 200)
                .count();
        note(String.format(
                Locale.ROOT,
                "4 48 logins under way while their users are banned: %d answered with 200, %d of them after the confirmed"
                        + " receipt; %d of their fresh tokens work when the user is enabled again",
                answered.get(),
                afterReceipt.size(),
                renewed));
        assertThat(renewed).isZero();
    }

    @Test
    void twoAdministratorsDisableEachOther() {
        int rounds = IS_SHORT ? 3 : 20;
        int none = 0;
        for (int i = 0; i < rounds; i++) {
            JDBC.sql("UPDATE users SET status = 0 WHERE id IN (SELECT user_id FROM user_roles)")
                    .update();
            List<Long> both = add(2, Node.PASSWORD);
            both.forEach(id -> JDBC.sql("INSERT INTO user_roles (user_id, role) VALUES (?, 'admin')")
                    .param(id)
                    .update());
            AtomicInteger turn = new AtomicInteger();
            var unused = Together.run(2, () -> {
                int self = turn.getAndIncrement();
                return node.send(
                        "PUT",
                        "/v1/admin/users/" + both.get(1 - self) + "/status",
                        Map.of("status", "disabled"),
                        token(both.get(self), List.of("admin")));
            });
            long left = JDBC.sql("SELECT count(*) FROM users JOIN user_roles ON user_id = id WHERE status = 1")
                    .query(Long.class)
                    .single();
            none += left == 0 ? 1 : 0;
        }
        JDBC.sql("UPDATE users SET status = 1 WHERE id = (SELECT min(user_id) FROM user_roles)")
                .update();
        note(String.format(
                Locale.ROOT, "4 two administrators disable each other, %d times: none is left %d times", rounds, none));
        assertThat(none).isZero();
    }

    @Test
    void passwordsAreGuessedOnTwoNodes() throws IOException {
        try (Node other = start(DATABASE, "other.log")) {
            guess(other, "6 80 guesses at once, on two nodes");
            redis("timeout", "2");
            // For longer than Redis allows, nothing is said over the connection of the attempts.
            awaitPause(Duration.ofSeconds(4));
            guess(other, "6 the same, with \"timeout 2\" in Redis");
        } finally {
            redis("timeout", "0");
            awaitWell();
        }
    }

    /** In the long form in a JVM of its own, as in production: what the callers here need of processors and memory is not the server's. */
    private static Node start(String database, String output) throws IOException {
        return IS_SHORT
                ? Node.start(REDIS.uri(), database, SETTINGS, new RealPasswords())
                : Node.startProcess(REDIS.uri(), database, SETTINGS, directory.resolve(output));
    }

    private static void guess(Node other, String what) {
        List<Node> nodes = List.of(node, other);
        String mobile = mobiles(1, Node.PASSWORD).get(0);
        AtomicInteger turn = new AtomicInteger();
        List<Integer> statuses = Together.run(
                80,
                () -> nodes.get(turn.getAndIncrement() % 2)
                        .post("/v1/login", Map.of("mobile", mobile, "password", "wrong horse 8"), null)
                        .status());
        long checked = statuses.stream().filter(status -> status == 401).count();
        note(what + ": " + checked + " compared with the password, where 10 are allowed");
        assertThat(checked).isLessThanOrEqualTo(10);
    }

    /** Passwords as in production: {@link Node} has them hashed at the lowest cost. */
    private static final class RealPasswords implements BeanPostProcessor {

        @Override
        public Object postProcessAfterInitialization(Object bean, String name) {
            return bean instanceof PasswordEncoder ? PasswordEncoderFactories.createDelegatingPasswordEncoder() : bean;
        }
    }

    /** Until the compiler is done with what the rows measure: it needs the processors that the server needs. */
    private static void warmUp() {
        POSTGRES.freeze();
        try (SteadyCalls reads = SteadyCalls.ofKnownUsers(node, known);
                SteadyCalls misses = misses(1000)) {
            awaitPause(Duration.ofSeconds(45));
            reads.end();
            misses.end();
        } finally {
            POSTGRES.restore();
            awaitWell();
        }
    }

    /** Known users' reads under a load. */
    private static Result row(String load, @Nullable SteadyCalls others) {
        try (SteadyCalls reads = SteadyCalls.ofKnownUsers(node, known)) {
            awaitPause(Duration.ofSeconds(SECONDS));
            Result read = reads.end();
            String rest = "";
            if (others != null) {
                Result ended = others.end();
                others.close();
                rest = ended.byStatus() + (ended.left() > 0 ? ", " + ended.left() + " not sent" : "") + ", p50 "
                        + text(ended.percentile(0.5)) + ", longest " + text(ended.longest());
            }
            note(String.format(
                    Locale.ROOT,
                    "%-52s %8s %8s %8s %8d  %s",
                    load,
                    text(read.percentile(0.5)),
                    text(read.percentile(0.99)),
                    text(read.longest()),
                    read.failures(),
                    rest));
            return read;
        }
    }

    private static void requireAnswered(Result known, Duration p99) {
        assertThat(known.failures()).as("failures").isZero();
        if (IS_SHORT) {
            assertThat(known.percentile(0.5)).as("median").isLessThan(Duration.ofSeconds(1));
        } else {
            assertThat(known.percentile(0.99)).as("p99").isLessThan(p99);
        }
    }

    private static SteadyCalls profileChanges() {
        return new SteadyCalls(
                100,
                CALLERS,
                n -> node.request(
                        "PATCH", "/v1/me", Map.of("intro", "number " + n), callers.get((int) (n % callers.size()))));
    }

    /** Half of them of callers whom the node does not know, the others of users whom it does not know. */
    private static SteadyCalls misses(int perSecond) {
        List<String> strangers = LongStream.range(0, 300)
                .mapToObj(n -> token(UNKNOWN + n, List.of()))
                .toList();
        long first = UNKNOWN + System.nanoTime() % 1_000_000_000 * 1_000;
        LongFunction<HttpRequest.Builder> call = n -> n % 2 == 0
                ? node.request("GET", "/v1/me", null, strangers.get((int) (n / 2 % strangers.size())))
                : node.request("GET", "/v1/users/" + (first + n), null, callers.get((int) (n % callers.size())));
        return new SteadyCalls(perSecond, 1000, call);
    }

    private static boolean setStatus(long id, String status) {
        Answer answer = node.send("PUT", "/v1/admin/users/" + id + "/status", Map.of("status", status), administrator);
        return answer.status() == 200 && answer.json().path("confirmed").asBoolean();
    }

    private static List<Long> add(int count, String password) {
        return mobiles(count, password).stream().map(StressIT::idOf).toList();
    }

    private static long idOf(String mobile) {
        return JDBC.sql("SELECT id FROM users WHERE mobile = ?")
                .param(mobile)
                .query(Long.class)
                .single();
    }

    /** The mobile numbers of so many new users. */
    private static List<String> mobiles(int count, String password) {
        String hash = "{bcrypt}" + new BCryptPasswordEncoder().encode(password);
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    String mobile = Node.newMobile();
                    JDBC.sql("INSERT INTO users (mobile, password_hash, name) VALUES (?, ?, 'Ann')")
                            .params(mobile, hash)
                            .update();
                    return mobile;
                })
                .toList();
    }

    private static String token(long id, List<String> roles) {
        return Shared.KEY.sign(new JWTClaimsSet.Builder()
                .issuer("usher")
                .audience("usher")
                .subject(Long.toString(id))
                .issueTime(Date.from(Instant.now()))
                .expirationTime(Date.from(Instant.now().plusSeconds(3600)))
                .claim("roles", roles)
                .claim("sid", UUID.randomUUID().toString())
                .build());
    }

    private static void redis(String setting, String value) {
        try (RedisClient client = RedisClient.create(REDIS.uri());
                var connection = client.connect()) {
            connection.sync().configSet(setting, value);
        }
    }

    private static void awaitWell() {
        await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> {
            assertThat(node.get("/v1/users/" + Node.newAbsentId(), administrator)
                            .status())
                    .isEqualTo(404);
            assertThat(node.health("db")).isEqualTo("UP");
        });
    }

    private static void awaitPause(Duration duration) {
        long until = System.nanoTime() + duration.toNanos();
        await().pollInterval(Duration.ofMillis(20))
                .atMost(duration.plusSeconds(5))
                .until(() -> System.nanoTime() - until > 0);
    }

    private static String text(Duration duration) {
        return String.format(Locale.ROOT, "%.1f ms", duration.toNanos() / 1e6);
    }

    private static void note(String line) {
        TABLE.add(line);
    }
}
