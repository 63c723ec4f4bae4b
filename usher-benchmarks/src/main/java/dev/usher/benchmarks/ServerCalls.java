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
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.json.JsonMapper;

/** Row 9: the server, compared with itself without usher. */
final class ServerCalls implements Measurement {

    static final String MOBILE = "13800000042";
    static final String NAME = "user 42";

    private static final String PASSWORD = "correct horse 42";
    private static final List<Integer> CALLERS = List.of(1, 16);
    private static final int WARMING_CALLERS = 4;

    /** A request runs much more code than a call of a library, so its warm-up is this many times as long. */
    private static final int LONGER_WARM_UP = 10;

    private static final String USHER = "usher, GET /v1/me";
    private static final String CONSTANT = "constant answer, no gate";

    @Override
    public Section measure(Plan plan) throws Exception {
        try (PostgresServer postgres = PostgresServer.start();
                RedisServer redis = RedisServer.start()) {
            String database = postgres.createDatabase("server");
            List<String> arguments = List.of(redis.uri(), database, postgres.username(), postgres.password());
            List<String> ungated = new ArrayList<>(arguments);
            ungated.add(MeasuredServer.UNGATED);
            // On two processors the second compiler (C2) takes minutes with a server, and most of one processor.
            List<String> options = List.of("-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch", "-XX:TieredStopAtLevel=1");
            try (JavaProcess usher = JavaProcess.start(options, MeasuredServer.class, arguments)) {
                int port = Integer.parseInt(usher.receive());
                String token = token(port);
                try (JavaProcess constant = JavaProcess.start(options, MeasuredServer.class, ungated);
                        HttpCall me = new HttpCall(port, MeasuredServer.ANSWERED_BY_USHER, token);
                        HttpCall other =
                                new HttpCall(Integer.parseInt(constant.receive()), MeasuredServer.CONSTANT, token)) {
                    return section(plan, Map.of(USHER, usher, CONSTANT, constant), me, other);
                }
            }
        }
    }

    private static Section section(Plan plan, Map<String, JavaProcess> servers, HttpCall me, HttpCall other)
            throws Exception {
        Map<String, HttpCall> calls = new LinkedHashMap<>();
        calls.put(CONSTANT, other);
        calls.put(USHER, me);
        warm(calls.values(), plan.warmUp().multipliedBy(LONGER_WARM_UP));
        Section section = new Section(Row.SERVER, "The server")
                .text(
                        "`GET /v1/me` of usher's server, which checks the token, the user's status and reads the profile; and the same"
                                + " application with a constant answer and without the gate, which checks the token only. Each caller has a"
                                + " connection that is kept. *Processor*: the processor time of the server's process for a call. Both servers have"
                                + " the first compiler (C1) only, which finishes soon.");
        for (int callers : CALLERS) {
            Map<String, Long> before = new LinkedHashMap<>();
            calls.forEach((title, call) -> before.put(title, call.made()));
            Map<String, Long> processor = new LinkedHashMap<>();
            servers.forEach((title, server) -> processor.put(title, server.processorNanos()));
            Map<String, Samples> samples = new Turns(plan).take(new LinkedHashMap<>(calls), callers);
            Samples base = Objects.requireNonNull(samples.get(CONSTANT));
            List<List<String>> rows = new ArrayList<>();
            samples.forEach((title, taken) -> {
                long made = Objects.requireNonNull(calls.get(title)).made() - Objects.requireNonNull(before.get(title));
                double micros = (Objects.requireNonNull(servers.get(title)).processorNanos()
                                - Objects.requireNonNull(processor.get(title)))
                        / (double) made
                        / TimeUnit.MICROSECONDS.toNanos(1);
                rows.add(List.of(
                        title,
                        Figures.figure(taken.rate().median()),
                        taken.rateOver(base).asRatio(),
                        Figures.figure(taken.micros(50)),
                        Figures.figure(taken.micros(99)),
                        Figures.figure(micros)));
            });
            section.text("**" + callers + (callers == 1 ? " caller**" : " callers**"))
                    .table(
                            List.of(
                                    "",
                                    "calls/s",
                                    "of the constant answer",
                                    "p50 µs",
                                    "p99 µs",
                                    "processor, µs a call"),
                            rows);
        }
        return section;
    }

    /** Calls until the servers' compilers have done most of their work. */
    private static void warm(Collection<HttpCall> calls, Duration length) throws Exception {
        List<Callable<Void>> callers = new ArrayList<>();
        long begun = System.nanoTime();
        for (HttpCall call : calls) {
            callers.addAll(Collections.nCopies(WARMING_CALLERS, () -> {
                SplittableRandom random = new SplittableRandom();
                while (System.nanoTime() - begun < length.toNanos()) {
                    call.make(random);
                }
                return null;
            }));
        }
        ExecutorService threads = Executors.newFixedThreadPool(callers.size());
        try {
            for (Future<Void> caller : threads.invokeAll(callers)) {
                caller.get();
            }
        } finally {
            threads.shutdownNow();
        }
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
