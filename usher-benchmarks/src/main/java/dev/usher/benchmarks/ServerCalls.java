package dev.usher.benchmarks;

import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import tools.jackson.databind.json.JsonMapper;

/** Row 9: the server, compared with itself without usher. */
final class ServerCalls implements Measurement {

    static final String MOBILE = "13800000042";
    static final String NAME = "user 42";

    private static final String PASSWORD = "correct horse 42";

    private static final List<Integer> CALLERS = List.of(16, 1);

    /** So few that a part of a processor is left to the servers' second compilers (C2), which have tens of seconds of work. */
    private static final int WARMING_CALLERS = 2;

    /** A server is warm when a call in so many turns took at most so much less processor time than in as many turns before. */
    private static final int COMPARED_TURNS = 3;

    private static final double FLAT = 0.05;

    private static final double MICROS_OF_A_MILLI = 1_000;

    private static final String USHER = "usher, GET /v1/me";
    private static final String CONSTANT = "constant profile, no gate";

    @Override
    public Section measure(Plan plan) throws Exception {
        try (PostgresServer postgres = PostgresServer.start();
                RedisServer redis = RedisServer.start()) {
            String database = postgres.createDatabase("server");
            List<String> arguments = List.of(redis.uri(), database, postgres.username(), postgres.password());
            List<String> ungated = new ArrayList<>(arguments);
            ungated.add(MeasuredServer.UNGATED);
            // Without options, as the server is started by its users.
            try (JavaProcess usher = JavaProcess.start(List.of(), MeasuredServer.class, arguments);
                    JavaProcess constant = JavaProcess.start(List.of(), MeasuredServer.class, ungated)) {
                int port = Integer.parseInt(usher.receive());
                int constantPort = Integer.parseInt(constant.receive());
                String token = token(port);
                try (HttpCall me = new HttpCall(usher, port, MeasuredServer.ANSWERED_BY_USHER, token);
                        HttpCall other = new HttpCall(constant, constantPort, MeasuredServer.CONSTANT, token)) {
                    Map<String, Call> calls = new LinkedHashMap<>();
                    calls.put(CONSTANT, other);
                    calls.put(USHER, me);
                    return section(plan, calls);
                }
            }
        }
    }

    private static Section section(Plan plan, Map<String, Call> calls) {
        Map<String, Samples> warmUp = new Turns(Duration.ZERO, 1, plan.serverWarmUp(), plan.serverTurn())
                .take(calls, WARMING_CALLERS, ServerCalls::areWarm);
        int turnsOfWarmUp = warmUp.values().iterator().next().perSecond().size();
        Section section = new Section(Row.SERVER, "The server")
                .text(
                        "`GET /v1/me` of usher's server, which checks the token, the user's status and reads the profile; and the same"
                                + " application with a constant profile and without the gate, which checks the token only; its caches are there,"
                                + " and are not asked. All calls have the same token. Each caller has a connection that is kept. *Processor*: the"
                                + " processor time of the server's process for a call, compiler and garbage collector included.")
                .text(String.format(
                        Locale.ROOT,
                        "Both servers run with the defaults of the JVM. Before, %d callers called each of them for %d s, "
                                + (areWarm(warmUp.values())
                                        ? "until the processor time of a call no longer fell."
                                        : "after which **the processor time of a call was still falling**: this plan waits no longer."),
                        WARMING_CALLERS,
                        plan.serverTurn().multipliedBy(turnsOfWarmUp).toSeconds()));
        Turns turns = new Turns(plan.warmUp(), 1, plan.rounds(), plan.serverTurn());
        for (int callers : CALLERS) {
            Map<String, Samples> samples = turns.take(calls, callers);
            Samples base = Objects.requireNonNull(samples.get(CONSTANT));
            List<List<String>> rows = new ArrayList<>();
            samples.forEach((title, taken) -> rows.add(List.of(
                    title,
                    Figures.figure(taken.processor().median() / MICROS_OF_A_MILLI),
                    taken.processorOver(base).asRatio(),
                    Figures.figure(taken.rate().median()),
                    taken.rateOver(base).asRatio(),
                    Figures.figure(taken.micros(50)),
                    Figures.figure(taken.micros(99)))));
            section.text("**" + callers + (callers == 1 ? " caller**" : " callers**"))
                    .table(
                            List.of(
                                    "",
                                    "processor, ms a call",
                                    "of the constant profile",
                                    "calls/s",
                                    "of the constant profile",
                                    "p50 µs",
                                    "p99 µs"),
                            rows);
        }
        return section;
    }

    private static boolean areWarm(Collection<Samples> servers) {
        return servers.stream().allMatch(taken -> taken.isFlat(COMPARED_TURNS, FLAT));
    }

    private static String token(int port) throws IOException, InterruptedException {
        post(port, "/v1/users", Map.of("mobile", MOBILE, "password", PASSWORD, "name", NAME));
        String answer = post(port, "/v1/login", Map.of("mobile", MOBILE, "password", PASSWORD));
        return new JsonMapper().readTree(answer).get("token").asString();
    }

    private static String post(int port, String path, Map<String, String> body)
            throws IOException, InterruptedException {
        HttpResponse<String> response = HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                                .header("Content-Type", "application/json")
                                .POST(BodyPublishers.ofString(new JsonMapper().writeValueAsString(body)))
                                .build(),
                        BodyHandlers.ofString());
        if (response.statusCode() >= 300) {
            throw new IOException(path + " answered " + response.statusCode());
        }
        return response.body();
    }
}
