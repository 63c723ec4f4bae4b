package dev.usher.redis;

import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One connection to Redis, and whether it is worth waiting for: it is made as soon as Redis can be reached, and while Redis
 * does not answer on it, no caller waits.
 *
 * <p>A circuit breaker counts the calls that were not answered in time. When they are half of the last ten, it opens: waiting
 * callers are sent away, and new ones are refused. Only the {@linkplain #PULSE pulse} goes on asking, and closes the breaker
 * when it is answered. An answer that is an error is an answer.
 *
 * <p>Thread-safe.
 */
final class RedisLink {

    /** How often a sign of life is asked for, which is also the probe while nothing else is asked; less often in a large fleet. */
    static final Duration PULSE = Duration.ofMillis(250);

    /** Timers are not exact. */
    private static final Duration EARLY = Duration.ofMillis(50);

    /** What is wrong while the breaker is open. */
    static final String NOT_ASKED = "does not answer, and its circuit breaker is open";

    private static final Duration LATELY = Duration.ofSeconds(2);

    private static final Duration FIRST_CONNECT_RETRY = Duration.ofSeconds(1);

    private final Duration timeout;
    private final ScheduledExecutorService scheduler;
    private final RedisErrorLog errorLog;
    private final Function<RedisAsyncCommands<String, byte[]>, CompletionStage<?>> signOfLife;

    /** Whether the server is one of a Cluster, which has some of the keys, by the map of the Cluster. */
    private final boolean isOfCluster;

    private final CircuitBreaker breaker = new CircuitBreaker();

    /** One for each answer that is waited for; it withdraws the command, so that the wait ends. */
    private final Set<Runnable> withdrawals = ConcurrentHashMap.newKeySet();

    private final AtomicBoolean pulsing = new AtomicBoolean();
    private volatile long pulsedAt = System.nanoTime() - PULSE.toNanos();

    /** After which the timer sends a pulse. */
    private volatile long pulseNanos = PULSE.toNanos();

    private volatile @Nullable StatefulRedisConnection<String, byte[]> connection;
    private volatile boolean failing;

    /** Why the latest attempt to connect has failed, or {@code null} when it has not, or none has ended since the loss. */
    private volatile @Nullable String unconnected;

    /** All such reasons since the connection was lost, each of which the log may say at once. */
    private final Set<String> reasons = ConcurrentHashMap.newKeySet();

    private volatile long failedAt = System.nanoTime() - LATELY.toNanos();

    /**
     * Not yet connected.
     *
     * @param timeout how long an answer is waited for
     */
    RedisLink(Duration timeout, ScheduledExecutorService scheduler, RedisErrorLog errorLog) {
        this(timeout, scheduler, errorLog, RedisAsyncCommands::ping, false);
    }

    /**
     * As the other, with a pulse that is worth more than its answer.
     *
     * @param signOfLife asks for an answer that no caller waits for
     * @param isOfCluster whether a key may rightly be elsewhere: that is an answer then, and no failure
     */
    RedisLink(
            Duration timeout,
            ScheduledExecutorService scheduler,
            RedisErrorLog errorLog,
            Function<RedisAsyncCommands<String, byte[]>, CompletionStage<?>> signOfLife,
            boolean isOfCluster) {
        this.isOfCluster = isOfCluster;
        this.signOfLife = signOfLife;
        this.timeout = timeout;
        this.scheduler = scheduler;
        this.errorLog = errorLog;
    }

    /**
     * Connects, until it has succeeded; from then on Lettuce restores the connection by itself.
     *
     * @param use what to do with the connection when it stands, once
     * @return completed when that is done, or the first attempt has failed
     */
    CompletionStage<?> connect(
            RedisClient client,
            RedisURI uri,
            Function<StatefulRedisConnection<String, byte[]>, CompletionStage<?>> use) {
        return client.connectAsync(TextKeysCodec.INSTANCE, uri)
                .whenComplete((connected, failure) -> {
                    if (failure == null) {
                        unconnected = null;
                    } else {
                        attemptFailed(failure);
                        var unused = scheduler.schedule(
                                () -> connect(client, uri, use), FIRST_CONNECT_RETRY.toMillis(), TimeUnit.MILLISECONDS);
                    }
                })
                .thenCompose(connected -> {
                    connection = connected;
                    connected.addListener(new RedisConnectionStateListener() {
                        @Override
                        public void onRedisConnected(RedisChannelHandler<?, ?> restored, SocketAddress address) {
                            unconnected = null;
                            reasons.clear();
                        }
                    });
                    var unused = scheduler.scheduleAtFixedRate(
                            this::pulseIfDue, PULSE.toMillis(), PULSE.toMillis(), TimeUnit.MILLISECONDS);
                    return use.apply(connected).thenApply(any -> connected);
                });
    }

    /** How long an answer is waited for. */
    Duration timeout() {
        return timeout;
    }

    /** What can be asked without waiting, whether the breaker is open or not. */
    RedisAsyncCommands<String, byte[]> commands() throws SharedTierException {
        return made().async();
    }

    /** The connection, whether the breaker is open or not. */
    StatefulRedisConnection<String, byte[]> made() throws SharedTierException {
        StatefulRedisConnection<String, byte[]> current = connection;
        if (current == null) {
            throw failed(notConnected());
        }
        return current;
    }

    /** As {@link #commands}, for a caller that is going to wait. */
    RedisAsyncCommands<String, byte[]> commandsToWaitFor() throws SharedTierException {
        requireAsked();
        return commands();
    }

    /** Whether the first connection has been made. */
    boolean isMade() {
        return connection != null;
    }

    boolean isConnected() {
        // Lettuce also takes it for closed when another than the latest of two attempts has ended; then calls are
        // answered.
        return connection != null && (isOpen() || !failing);
    }

    /** Notes that an attempt to make a connection of this Redis has failed, which may have been this one. */
    void attemptFailed(Throwable failure) {
        if (!isOpen()) {
            String reason = errorLog.unconnectedBecause(failure);
            // An attempt that a loss has broken off may come first, with a reason that says little.
            if (reasons.add(reason)) {
                errorLog.isKnown();
            }
            unconnected = reason;
        }
    }

    /** What is wrong while there is no connection. */
    String notConnected() {
        String reason = unconnected;
        return reason == null ? "is not connected" : "cannot be reached: " + reason;
    }

    private boolean isOpen() {
        StatefulRedisConnection<String, byte[]> current = connection;
        return current != null && current.isOpen();
    }

    /** Whether Redis does not answer in time, so that it is not asked. */
    boolean isLeftAlone() {
        return breaker.isOpen();
    }

    /** How many answers are waited for, about. */
    int waiting() {
        return withdrawals.size();
    }

    /** Waits for an answer. The wait is too short to be broken off by an interrupt, which is passed on afterwards. */
    <T extends @Nullable Object> T await(CompletableFuture<T> answer) throws SharedTierException {
        return awaitSince(answer, System.nanoTime());
    }

    /** As {@link #await(CompletableFuture)}, for a call that was sent at that moment of {@link System#nanoTime()}, beside calls of other servers. */
    <T extends @Nullable Object> T awaitSince(CompletableFuture<T> answer, long sentAt) throws SharedTierException {
        return await(answer, timeout, sentAt + timeout.toNanos());
    }

    /** As {@link #await(CompletableFuture)}, for a caller that has no more time than this. */
    <T extends @Nullable Object> T await(CompletableFuture<T> answer, Duration atMost) throws SharedTierException {
        Duration patience = atMost.compareTo(timeout) < 0 ? atMost : timeout;
        return await(answer, patience, System.nanoTime() + patience.toNanos());
    }

    private <T extends @Nullable Object> T await(CompletableFuture<T> answer, Duration patience, long until)
            throws SharedTierException {
        Runnable withdrawal = () -> answer.cancel(true);
        withdrawals.add(withdrawal);
        boolean interrupted = false;
        try {
            requireAsked();
            while (true) {
                try {
                    T result = answer.get(until - System.nanoTime(), TimeUnit.NANOSECONDS);
                    answeredInTime();
                    return result;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (TimeoutException e) {
            throw overdue(withdrawal, patience, until);
        } catch (ExecutionException | CancellationException e) {
            throw failedWith(e);
        } finally {
            withdrawals.remove(withdrawal);
            withdraw(answer);
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** As {@link #bounded(CompletableFuture, Timeouts)}, with the timer of the caches. */
    <T extends @Nullable Object> CompletableFuture<T> bounded(CompletableFuture<T> answer) {
        return bounded(answer, (nanos, task) -> {
            ScheduledFuture<?> deadline = scheduler.schedule(task, nanos, TimeUnit.NANOSECONDS);
            return () -> deadline.cancel(false);
        });
    }

    /**
     * As {@link #await(CompletableFuture)}, without a thread that waits: the same deadline, the same count of the breaker, the same failures.
     *
     * <p>The future completes on the connection's event loop when Redis has answered; else where the timeouts run, or on the thread of a call whose
     * missing answer has opened the breaker. So its dependents must not block.
     *
     * @return the answer. It is complete within the command timeout, and fails with a {@link SharedTierException}, not wrapped. To cancel
     *     it withdraws the command, which then counts neither as answered nor as missed
     */
    <T extends @Nullable Object> CompletableFuture<T> bounded(CompletableFuture<T> answer, Timeouts timeouts) {
        Bounded<T> bounded = new Bounded<>(answer);
        bounded.begin(timeouts);
        return bounded;
    }

    /** An answer that is waited for without a thread. */
    private final class Bounded<T extends @Nullable Object> extends CompletableFuture<T> implements Runnable {

        private final CompletableFuture<T> answer;
        private final long until = System.nanoTime() + timeout.toNanos();
        private Runnable inTime = () -> {};

        private Bounded(CompletableFuture<T> answer) {
            this.answer = answer;
        }

        private void begin(Timeouts timeouts) {
            withdrawals.add(this);
            if (isLeftAlone()) {
                completeExceptionally(failed(NOT_ASKED));
                return;
            }
            inTime = timeouts.after(timeout.toNanos(), this::expire);
            var unused = answer.whenComplete(this::answered);
        }

        private void answered(T result, @Nullable Throwable failure) {
            if (isDone()) {
                return; // overdue, or cancelled
            }
            if (failure == null) {
                answeredInTime();
                complete(result);
            } else {
                completeExceptionally(failedWith(failure));
            }
        }

        private void expire() {
            if (!isDone()) {
                completeExceptionally(overdue(this, timeout, until));
            }
        }

        @Override
        public boolean complete(T result) {
            end();
            return super.complete(result);
        }

        @Override
        public boolean completeExceptionally(Throwable failure) {
            boolean isFirst = super.completeExceptionally(failure);
            end();
            return isFirst;
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            boolean isFirst = super.cancel(mayInterruptIfRunning);
            end();
            return isFirst;
        }

        private void end() {
            inTime.run();
            withdrawals.remove(this);
            withdraw(answer);
        }

        /** Withdraws the command. */
        @Override
        public void run() {
            answer.cancel(true);
        }
    }

    /** Notes that there was no answer in time, if that says something of Redis. */
    private SharedTierException overdue(Runnable withdrawal, Duration patience, long until) {
        withdrawals.remove(withdrawal); // an opening breaker ends the others
        // A process that was paused notices late, and knows nothing of Redis.
        boolean isTimely = System.nanoTime() - until < timeout.toNanos() / 2;
        if (patience.equals(timeout) && isTimely) {
            unanswered();
        }
        return failed("did not answer within " + patience.toMillis() + " ms");
    }

    /** Withdraws a command that has no answer yet. */
    private static void withdraw(CompletableFuture<?> answer) {
        if (!answer.isDone()) {
            answer.cancel(true);
        }
    }

    private void answeredInTime() {
        breaker.answered();
        answered();
    }

    /** Notes how an answer has failed that was waited for. */
    private SharedTierException failedWith(Throwable failure) {
        if (failure instanceof CancellationException) {
            return failed(isLeftAlone() ? NOT_ASKED : "was closed");
        }
        boolean isWrapped = failure instanceof CompletionException || failure instanceof ExecutionException;
        Throwable cause = isWrapped ? failure.getCause() : failure;
        if (cause instanceof SharedTierException known) {
            return known;
        }
        if (isAnswer(cause)) {
            breaker.answered();
        }
        if (isElsewhere(cause)) {
            answered();
            return errorLog.elsewhere(failure);
        }
        return isOpen() ? failed(failure) : failed(notConnected());
    }

    /** Refuses a caller that would wait for a Redis that does not answer. */
    void requireAsked() throws SharedTierException {
        if (isLeftAlone()) {
            throw failed(NOT_ASKED);
        }
    }

    /** Whether the key of a call is on another server of the Cluster, or on its way there. One server that says so is a wrong one. */
    private boolean isElsewhere(@Nullable Throwable failure) {
        return isOfCluster && Redirect.isOfKey(failure);
    }

    /** Notes how a call went that no caller waited for. */
    void note(@Nullable Throwable failure) {
        if (failure == null || isElsewhere(failure)) {
            answered();
        } else if (!(failure instanceof SharedTierException)) {
            var unused = isOpen() ? failed(failure) : failed(notConnected());
        }
    }

    /** Whether the last call has failed. */
    boolean isFailing() {
        return failing;
    }

    /** Whether a call has failed a moment ago: a Redis may answer some calls and refuse others. */
    boolean hasFailedLately() {
        return failing || System.nanoTime() - failedAt < LATELY.toNanos();
    }

    private void answered() {
        if (failing) {
            failing = false;
            errorLog.ended();
        }
    }

    /** Notes that a call has failed. */
    SharedTierException failed(String what) {
        return failed(what, null);
    }

    private SharedTierException failed(Throwable failure) {
        return failed("failed: " + RedisErrorLog.reasonOf(failure), RedisErrorLog.codeOf(failure));
    }

    private SharedTierException failed(String what, @Nullable String errorCode) {
        failedAt = System.nanoTime();
        failing = true;
        return errorLog.failed(what, errorCode);
    }

    /**
     * Sends the next pulse now, if it is about due. Called when something else has just been sent: Redis then reads both at once, which for a fleet of nodes costs
     * it half as much.
     */
    void pulseAlong() {
        if (hasNotPulsedFor(PULSE.toNanos())) {
            pulse();
        }
    }

    /** Says after how long without a pulse the timer sends one; it looks at each {@link #PULSE}. */
    void pulseEvery(long nanos) {
        pulseNanos = nanos;
    }

    private void pulseIfDue() {
        // While the breaker is open, the pulse is what closes it.
        if (isLeftAlone() || hasNotPulsedFor(pulseNanos)) {
            pulse();
        }
    }

    private boolean hasNotPulsedFor(long nanos) {
        return System.nanoTime() - pulsedAt >= nanos - EARLY.toNanos();
    }

    private void pulse() {
        StatefulRedisConnection<String, byte[]> current = connection;
        if (current == null || !pulsing.compareAndSet(false, true)) {
            return;
        }
        pulsedAt = System.nanoTime();
        boolean isProbe = isLeftAlone();
        var unused = Deadline.of(answerOf(current), timeout, scheduler).whenComplete((pong, failure) -> {
            pulsing.set(false);
            if (failure instanceof TimeoutException) {
                unanswered();
            } else if (failure == null || isAnswer(failure)) {
                breaker.answered();
                // An answer to a pulse from before the misses that opened the breaker proves less than the next one.
                if (isProbe) {
                    breaker.close();
                }
            }
        });
    }

    /** Never throws: a breaker whose probe has no end would stay open for ever. */
    private CompletableFuture<?> answerOf(StatefulRedisConnection<String, byte[]> connection) {
        try {
            return signOfLife.apply(connection.async()).toCompletableFuture();
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private void unanswered() {
        breaker.missed();
        if (isLeftAlone()) {
            withdrawals.forEach(Runnable::run);
        }
    }

    static boolean isAnswer(@Nullable Throwable failure) {
        return failure instanceof RedisCommandExecutionException;
    }
}
