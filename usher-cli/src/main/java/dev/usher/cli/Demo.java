package dev.usher.cli;

import static dev.usher.cli.CallTable.count;

import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.jdbc.core.simple.JdbcClient;
import tools.jackson.databind.JsonNode;

/**
 * The steps of the demo: users register, log in, are read, are dropped from the caches, and are disabled. Then its Redis is killed, if it is an
 * embedded one.
 */
final class Demo {

    private static final int WARM_ROUNDS = 5;
    private static final int UNKNOWN_IDS = 50;
    private static final int UNKNOWN_ROUNDS = 10;
    private static final int CROWD = 64;
    private static final int MAX_FORGOTTEN = 1_000;
    private static final int MAX_DISABLED = 10;
    private static final int DISABLED_ROUNDS = 10;
    private static final int MAX_WITHOUT_REDIS = 1_000;
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private static final String ME = "/v1/me";
    private static final String USER = "/v1/users/{id}";
    private static final String STATUS = "/v1/admin/...";

    private final RunningServer server;
    private final StatementCounter statements;
    private final ApiClient api;
    private final DemoCaches caches;
    private final DemoUsers users;
    private final int callers;
    private final List<Finding> findings = new ArrayList<>();

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
        disable(meter);
        killRedis(meter);
        return meter.rows();
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
                cold.tally().statements() <= 2L * forgotten(),
                count(forgotten()) + " users dropped from the caches, read again: "
                        + count(cold.tally().statements()) + " SQL queries, 1 per user and facet at most"));
        caches.forget(users.id(0));
        CallRow crowd =
                meter.measure("forgotten, " + CROWD + " at once", "GET " + ME, CROWD, CROWD, call -> readOwn(0));
        findings.add(new Finding(
                crowd.tally().statements() == 2,
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
                count(disabled()) + " disabled users, " + count(calls.calls()) + " calls with tokens that are valid: "
                        + count(refused.get()) + " refused"));
        boolean loginRefused = users.tryLogIn(api, 0).refusesDisabled();
        setStatus(0, "enabled", administrator);
        boolean letInAgain = api.get(ME, users.token(0)).status() == 200;
        findings.add(new Finding(
                loginRefused && letInAgain,
                "a disabled user " + (loginRefused ? "cannot" : "CAN") + " log in, and once enabled "
                        + (letInAgain ? "is let in again" : "is NOT let in again")));
        meter.measure("enable", "PUT " + STATUS, disabled(), 1, number -> setStatus(number, "enabled", administrator));
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

    private void killRedis(CallMeter meter) {
        RedisServer redis = server.ownRedis();
        if (redis == null) {
            return;
        }
        AtomicInteger answered = new AtomicInteger();
        CallRow calls;
        long restarted;
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
            awaitMemory();
        } finally {
            server.quiet(false);
        }
        long millis = Duration.ofNanos(System.nanoTime() - restarted).toMillis();
        boolean open = caches.all().health().nearOpen();
        findings.add(new Finding(
                answered.get() == calls.calls() && open,
                "Redis killed: " + count(answered.get()) + " reads answered, "
                        + count(calls.calls() - answered.get()) + " errors; Redis back: memory "
                        + (open ? "open again after " + millis + " ms" : "is NOT open again")));
    }

    private void awaitMemory() {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        try {
            while (!caches.all().health().nearOpen() && System.nanoTime() - deadline < 0) {
                TimeUnit.MILLISECONDS.sleep(1);
            }
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

    private int disabled() {
        return Math.min(MAX_DISABLED, users.count());
    }
}
