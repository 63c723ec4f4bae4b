package dev.usher.server;

import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;

/**
 * Calls at a steady rate, whatever becomes of those before: a server that is slow gets no fewer of them. Each is measured from the
 * moment at which it was due, so that a call that has to wait for its turn counts as slow (no coordinated omission). Of calls that
 * have no answer yet, so many stand at a time at most, as behind a balancer; the next ones are not sent, and count as such.
 */
public final class SteadyCalls implements AutoCloseable {

    private static final Duration TICK = Duration.ofMillis(5);
    private static final Duration LONGEST = Duration.ofSeconds(30);

    private final int perSecond;
    private final Semaphore places;
    private final LongFunction<HttpRequest.Builder> calls;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final ExecutorService threads = Executors.newFixedThreadPool(2);
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .executor(threads)
            .build();
    private final List<CompletableFuture<Call>> sent = new ArrayList<>();
    private final long begunAt = System.nanoTime();
    private long due;
    private long left;

    /** A call that has ended: with a status, or with 0 when there was no answer. */
    private record Call(int status, long nanos) {}

    /**
     * The outcome of the calls.
     *
     * @param sorted how long each call took, the shortest first
     * @param byStatus how many answers of each status there were; 0 stands for none
     * @param left how many were not sent
     */
    public record Result(List<Duration> sorted, Map<Integer, Integer> byStatus, long left) {

        public Duration percentile(double share) {
            if (sorted.isEmpty()) {
                return Duration.ZERO;
            }
            return sorted.get((int) Math.ceil(sorted.size() * share) - 1);
        }

        public Duration longest() {
            return percentile(1);
        }

        public int answers(int status) {
            return byStatus.getOrDefault(status, 0);
        }

        /** How many calls have not been answered with 200. */
        public long failures() {
            return byStatus.values().stream().mapToInt(Integer::intValue).sum() - answers(200) + left;
        }
    }

    /**
     * Begins.
     *
     * @param calls the call of each number, from 0
     * @param most how many may stand without an answer
     */
    SteadyCalls(int perSecond, int most, LongFunction<HttpRequest.Builder> calls) {
        this.perSecond = perSecond;
        this.places = new Semaphore(most);
        this.calls = calls;
        var unused = timer.scheduleAtFixedRate(this::send, 0, TICK.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Users that read their own profiles, as any page of an application does for them. */
    public static SteadyCalls ofKnownUsers(Node node, List<String> tokens) {
        return new SteadyCalls(
                100, 500, n -> node.request("GET", "/v1/me", null, tokens.get((int) (n % tokens.size()))));
    }

    private synchronized void send() {
        long soFar = System.nanoTime() - begunAt;
        while (due * 1_000_000_000L / perSecond <= soFar) {
            long dueAt = begunAt + due * 1_000_000_000L / perSecond;
            if (places.tryAcquire()) {
                sent.add(send(calls.apply(due), dueAt));
            } else {
                left++;
            }
            due++;
        }
    }

    private CompletableFuture<Call> send(HttpRequest.Builder request, long dueAt) {
        return client.sendAsync(request.timeout(LONGEST).build(), BodyHandlers.discarding())
                .handle((response, failure) -> {
                    places.release();
                    return new Call(response == null ? 0 : response.statusCode(), System.nanoTime() - dueAt);
                });
    }

    /** Sends no more, and waits for the answers of all. */
    public Result end() {
        timer.shutdownNow();
        synchronized (this) {
            List<Call> ended = sent.stream().map(CompletableFuture::join).toList();
            Map<Integer, Integer> byStatus = new TreeMap<>();
            ended.forEach(call -> byStatus.merge(call.status, 1, Integer::sum));
            List<Duration> sorted = ended.stream()
                    .map(call -> Duration.ofNanos(call.nanos))
                    .sorted()
                    .toList();
            return new Result(sorted, byStatus, left);
        }
    }

    @Override
    public void close() {
        timer.shutdownNow();
        threads.shutdownNow();
    }
}
