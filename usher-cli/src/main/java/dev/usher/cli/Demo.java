package dev.usher.cli;

import static dev.usher.cli.CallTable.count;

import dev.usher.spring.RedisEndpoint;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.core.simple.JdbcClient;
import tools.jackson.databind.JsonNode;

/**
 * The steps of the demo: users register, log in, are read, are dropped from the caches, and are disabled. In an embedded PostgreSQL some are changed by SQL as
 * well, past the servers. Then its Redis is killed, if it is an embedded one.
 */
final class Demo {

    private static final int WARM_ROUNDS = 5;
    private static final int UNKNOWN_IDS = 50;
    private static final int UNKNOWN_ROUNDS = 10;
    private static final int CROWD = 64;
    private static final int MAX_FORGOTTEN = 1_000;
    private static final int MAX_DISABLED = 10;
    private static final int DISABLED_ROUNDS = 10;
    private static final int MAX_CHANGED = 20;
    private static final int MAX_WITHOUT_REDIS = 1_000;
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long NEVER = Long.MAX_VALUE;

    private static final String ME = "/v1/me";
    private static final String USER = "/v1/users/{id}";
    private static final String STATUS = "/v1/admin/...";

    /** What a call with a token looks up of its user: the status, the access and the profile. */
    private static final int FACETS = 3;

    private static final String INTRODUCTION = "changed by SQL";

    private final RunningServer server;
    private final StatementCounter statements;
    private final ApiClient api;
    private final DemoCaches caches;
    private final DemoUsers users;
    private final int callers;
    private final List<Finding> findings = new ArrayList<>();
    private volatile @Nullable DemoRelay relay;

    Demo(RunningServer server, StatementCounter statements, DemoUsers users, int callers) {
        this.server = server;
        this.statements = statements;
        this.api = new ApiClient(server.address());
        this.caches = DemoCaches.of(server);
        this.users = users;
        this.callers = callers;
    }

    /** How many calls {@link #run} measures. */
    long steps() {
        long all = users.count();
        return 2 * all
                + 2 * all * WARM_ROUNDS
                + UNKNOWN_IDS * (1L + UNKNOWN_ROUNDS)
                + forgotten()
                + CROWD
                + disabled() * (2L + DISABLED_ROUNDS)
                + (server.hasOwnDatabase() ? changed() + 1 : 0)
                + (server.ownRedis() == null ? 0 : withoutRedis());
    }

    /**
     * Runs all steps.
     *
     * @throws CommandException when the server gives an unexpected answer
     */
    List<CallRow> run(Progress progress) {
        CallMeter meter = new CallMeter(() -> caches.tally(statements), progress);
        registerAndLogIn(meter);
        readWarm(meter);
        readUnknown(meter);
        readForgotten(meter);
        if (server.hasOwnDatabase()) {
            // It starts while users are disabled.
            relay = DemoRelay.beside(server);
        }
        disable(meter);
        if (relay != null) {
            changeBySql(meter, relay);
            // Without Redis it could not end in silence.
            relay.close();
        }
        killRedis(meter);
        return meter.rows();
    }

    /** Ends what {@link #run} has started. */
    void end() {
        if (relay != null) {
            relay.close();
        }
    }

    /** The findings of {@link #run}. */
    List<Finding> findings() {
        return List.copyOf(findings);
    }

    /** Drops the users of this demo from the caches. */
    void forgetAll() {
        for (int number = 0; number <= users.administrator(); number++) {
            caches.forget(users.id(number));
        }
        forgetBookmark();
    }

    /** The relay is closed. Its bookmark has no end. */
    private void forgetBookmark() {
        RedisEndpoint redis = server.context().getBean(RedisEndpoint.class);
        RedisClient client = RedisClient.create(redis.uri());
        client.setOptions(redis.options());
        try (StatefulRedisConnection<String, String> connection = client.connect()) {
            connection.sync().del(DemoRelay.bookmark(server.context().getEnvironment()));
        } catch (RedisException e) {
            // Redis is gone. This also runs at Ctrl-C, where no line could be printed.
        } finally {
            client.shutdown(Duration.ZERO, Duration.ZERO);
        }
    }

    private void registerAndLogIn(CallMeter meter) {
        int all = users.count();
        meter.measure("register", "POST /v1/users", all, callers, number -> users.register(api, number));
        users.register(api, users.administrator());
        server.context()
                .getBean(JdbcClient.class)
                .sql("INSERT INTO user_roles (user_id, role) VALUES (?, 'admin')")
                .param(users.id(users.administrator()))
                .update();
        meter.measure("log in", "POST /v1/login", all, callers, number -> users.logIn(api, number));
        users.logIn(api, users.administrator());
    }

    private void readWarm(CallMeter meter) {
        int all = users.count();
        CallRow own = meter.measure(
                "own profile, warm", "GET " + ME, all * WARM_ROUNDS, callers, call -> readOwn(call % all));
        CallRow others = meter.measure("another's, warm", "GET " + USER, all * WARM_ROUNDS, callers, call -> {
            int reader = call % all;
            int other = (reader + 1 + call / all) % all;
            readProfile(api.get("/v1/users/" + users.id(other), users.token(reader)), other);
        });
        Tally both = own.tally().plus(others.tally());
        findings.add(new Finding(
                both.statements() == 0 && both.sourceAnswers() == 0,
                count(own.calls() + others.calls()) + " warm reads, " + count(both.nearHits() + both.sharedHits())
                        + " look-ups answered by memory and Redis: " + count(both.statements()) + " SQL queries"));
    }

    private void readUnknown(CallMeter meter) {
        long firstId = ThreadLocalRandom.current().nextLong(1L << 61, 1L << 62);
        CallRow first = meter.measure(
                "unknown id, 1st time", "GET " + USER, UNKNOWN_IDS, callers, call -> readUnknown(firstId, call));
        CallRow again = meter.measure(
                "unknown id, again",
                "GET " + USER,
                UNKNOWN_IDS * UNKNOWN_ROUNDS,
                callers,
                call -> readUnknown(firstId, call % UNKNOWN_IDS));
        findings.add(new Finding(
                first.tally().statements() <= UNKNOWN_IDS && again.tally().statements() <= UNKNOWN_IDS,
                count(UNKNOWN_IDS) + " unknown ids, each asked for " + (1 + UNKNOWN_ROUNDS) + " times: "
                        + count(first.tally().plus(again.tally()).statements())
                        + " SQL queries, 2 per id at most: an absence is stored the second time"));
    }

    private void readForgotten(CallMeter meter) {
        for (int number = 0; number < forgotten(); number++) {
            caches.forget(users.id(number));
        }
        CallRow cold = meter.measure("own profile, forgotten", "GET " + ME, forgotten(), callers, this::readOwn);
        findings.add(new Finding(
                cold.tally().statements() <= (long) FACETS * forgotten(),
                count(forgotten()) + " users dropped from the caches, read again: "
                        + count(cold.tally().statements()) + " SQL queries, 1 per user and facet at most"));
        caches.forget(users.id(0));
        CallRow crowd =
                meter.measure("forgotten, " + CROWD + " at once", "GET " + ME, CROWD, CROWD, call -> readOwn(0));
        findings.add(new Finding(
                crowd.tally().statements() == FACETS,
                CROWD + " callers at once for one user dropped from the caches: "
                        + count(crowd.tally().statements()) + " SQL queries, 1 per facet"));
    }

    private void disable(CallMeter meter) {
        String administrator = users.token(users.administrator());
        List<JsonNode> receipts = new ArrayList<>();
        meter.measure(
                "disable",
                "PUT " + STATUS,
                disabled(),
                1,
                number -> receipts.add(setStatus(number, "disabled", administrator)));
        findings.add(bans(receipts));
        AtomicInteger refused = new AtomicInteger();
        CallRow calls =
                meter.measure("own profile, disabled", "GET " + ME, disabled() * DISABLED_ROUNDS, callers, call -> {
                    if (api.get(ME, users.token(call % disabled())).refusesDisabled()) {
                        refused.incrementAndGet();
                    }
                });
        findings.add(new Finding(
                refused.get() == calls.calls(),
                count(disabled()) + " disabled users, " + count(calls.calls())
                        + " calls with tokens that have not expired: " + count(refused.get()) + " refused"));
        boolean loginRefused = users.tryLogIn(api, 0).refusesDisabled();
        setStatus(0, "enabled", administrator);
        boolean tokenRefused = api.get(ME, users.token(0)).status() == 401;
        users.logIn(api, 0);
        boolean letInAgain = api.get(ME, users.token(0)).status() == 200;
        findings.add(new Finding(
                loginRefused && tokenRefused && letInAgain,
                "a disabled user " + (loginRefused ? "cannot" : "CAN") + " log in, and once enabled "
                        + (letInAgain ? "is let in again" : "is NOT let in again") + " by a login, and "
                        + (tokenRefused ? "not" : "ALSO") + " by a token from before"));
        meter.measure("enable", "PUT " + STATUS, disabled(), 1, number -> setStatus(number, "enabled", administrator));
        for (int number = 0; number < disabled(); number++) {
            users.logIn(api, number);
        }
    }

    private static Finding bans(List<JsonNode> receipts) {
        long confirmed = receipts.stream()
                .filter(receipt -> receipt.path("confirmed").asBoolean()
                        && !receipt.path("nodes_confirmed").isEmpty())
                .count();
        long longest = receipts.stream()
                .mapToLong(receipt -> receipt.path("took_ms").asLong())
                .max()
                .orElse(0);
        return new Finding(
                confirmed == receipts.size(),
                count(receipts.size()) + " bans: " + count(confirmed) + " receipts confirmed by every node, after "
                        + longest + " ms at most");
    }

    /** Rows are changed past the servers, as by hand, by a job or by a service in another language. */
    private void changeBySql(CallMeter meter, DemoRelay node) {
        if (!await(node::isReady)) {
            findings.add(new Finding(false, "the relay does not follow the log of the database: " + node.health()));
            return;
        }
        for (int number = 0; number < changed(); number++) {
            readOwn(number);
            node.introduction(users.id(number));
            node.admits(users.id(number));
        }
        List<Long> millis = new ArrayList<>();
        meter.measure("changed by SQL", "UPDATE, till seen", changed(), 1, number -> {
            long id = users.id(number);
            update("introduction = '" + INTRODUCTION + "'", id);
            millis.add(millisUntil(() -> node.introduction(id).equals(INTRODUCTION)
                    && api.get(ME, users.token(number))
                            .with(200)
                            .json()
                            .path("intro")
                            .asString()
                            .equals(INTRODUCTION)));
        });
        Collections.sort(millis);
        findings.add(new Finding(
                !millis.contains(NEVER),
                count(changed()) + " rows changed by SQL, past both nodes: new on both after "
                        + millis.get(millis.size() / 2) + " ms in the median, " + millis.get(millis.size() - 1)
                        + " ms at most"));
        List<Long> refused = new ArrayList<>();
        meter.measure("disabled by SQL", "UPDATE, till seen", 1, 1, number -> {
            update("status = 0", users.id(number));
            refused.add(millisUntil(() -> !node.admits(users.id(number))
                    && api.get(ME, users.token(number)).refusesDisabled()));
        });
        update("status = 1", users.id(0));
        boolean letInAgain = await(
                () -> node.admits(users.id(0)) && api.get(ME, users.token(0)).status() == 200);
        findings.add(new Finding(
                !refused.contains(NEVER) && letInAgain,
                "a user disabled by SQL: refused on both nodes after " + refused.get(0) + " ms, and once enabled "
                        + (letInAgain ? "let in again" : "NOT let in again")));
    }

    private void update(String change, long id) {
        server.context()
                .getBean(JdbcClient.class)
                .sql("UPDATE users SET " + change + " WHERE id = ?")
                .param(id)
                .update();
    }

    /** How long it takes from now on, or {@link #NEVER}. */
    private static long millisUntil(BooleanSupplier condition) {
        long from = System.nanoTime();
        return await(condition) ? Duration.ofNanos(System.nanoTime() - from).toMillis() : NEVER;
    }

    private void killRedis(CallMeter meter) {
        RedisServer redis = server.ownRedis();
        if (redis == null) {
            return;
        }
        AtomicInteger answered = new AtomicInteger();
        CallRow calls;
        long restarted;
        boolean open;
        // The loss of Redis is shown below, and need not be logged.
        server.quiet(true);
        try {
            redis.kill();
            calls = meter.measure("own profile, no Redis", "GET " + ME, withoutRedis(), callers, call -> {
                if (api.get(ME, users.token(call % users.count())).status() == 200) {
                    answered.incrementAndGet();
                }
            });
            redis.restart();
            restarted = System.nanoTime();
            open = await(() -> caches.all().health().nearOpen());
        } finally {
            server.quiet(false);
        }
        long millis = Duration.ofNanos(System.nanoTime() - restarted).toMillis();
        findings.add(new Finding(
                answered.get() == calls.calls() && open,
                "Redis killed: " + count(answered.get()) + " reads answered, "
                        + count(calls.calls() - answered.get()) + " errors; Redis back: memory "
                        + (open ? "open again after " + millis + " ms" : "is NOT open again")));
    }

    /** Waits for a condition, and says whether it came to hold. */
    private static boolean await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try {
            while (!condition.getAsBoolean()) {
                if (System.nanoTime() - deadline > 0) {
                    return false;
                }
                TimeUnit.MILLISECONDS.sleep(1);
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandException("interrupted", e);
        }
    }

    private void readOwn(int number) {
        readProfile(api.get(ME, users.token(number)), number);
    }

    private void readProfile(Answer answer, int number) {
        Answer found = answer.with(200);
        if (found.json().path("id").asLong() != users.id(number)
                || !users.name(number).equals(found.json().path("name").asString())) {
            throw new CommandException(found.call() + " was answered with another user");
        }
    }

    private void readUnknown(long firstId, int call) {
        api.get("/v1/users/" + (firstId + call), users.token(call % users.count()))
                .with(404);
    }

    private JsonNode setStatus(int number, String status, String administrator) {
        return api.put("/v1/admin/users/" + users.id(number) + "/status", Map.of("status", status), administrator)
                .with(200)
                .json();
    }

    private int forgotten() {
        return Math.min(MAX_FORGOTTEN, users.count());
    }

    private int withoutRedis() {
        return Math.min(MAX_WITHOUT_REDIS, users.count());
    }

    private int changed() {
        return Math.min(MAX_CHANGED, users.count());
    }

    private int disabled() {
        return Math.min(MAX_DISABLED, users.count());
    }
}
