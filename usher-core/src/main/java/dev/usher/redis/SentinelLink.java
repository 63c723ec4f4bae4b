package dev.usher.redis;

import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.RedisURI;
import io.lettuce.core.StatefulRedisConnectionImpl;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.ArrayOutput;
import io.lettuce.core.output.CommandOutput;
import io.lettuce.core.output.ListOfMapsOutput;
import io.lettuce.core.output.MapOutput;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The connection to one Sentinel. Before it counts, the Sentinel introduces itself: by its id, by how many Sentinels there are, and by their
 * addresses. Thread-safe; no thread waits.
 */
final class SentinelLink {

    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final String SWITCHED = "+switch-master";
    private static final String ANOTHER = "+sentinel";

    private final RedisURI uri;
    private final ServerAddress address;
    private final String primary;
    private final RedisClient client;
    private final ScheduledExecutorService scheduler;
    private final Listener listener;
    private final CompletableFuture<StatefulRedisPubSubConnection<String, String>> first = new CompletableFuture<>();

    /** Whether it will be asked to introduce itself once more. */
    private final AtomicBoolean waiting = new AtomicBoolean();

    private volatile @Nullable StatefulRedisPubSubConnection<String, String> connection;
    private volatile @Nullable Introduction introduction;
    private volatile @Nullable String problem = "is not connected";
    private volatile boolean closed;

    /**
     * What a Sentinel says of itself and of the others.
     *
     * @param replicas all that it knows of, or {@code null} when it does not say
     */
    record Introduction(
            String id,
            int voters,
            List<Other> others,
            @Nullable Set<ServerAddress> replicas,
            @Nullable Duration downAfter) {}

    /**
     * What a Sentinel says when it is asked.
     *
     * @param id of the Sentinel
     * @param primary the server that it names, at a moment after that of the replicas
     * @param replicas all that it knows of, whether they can be reached or not
     */
    record View(String id, ServerAddress primary, Set<ServerAddress> replicas) {}

    /** Another Sentinel, as one knows it. */
    record Other(String id, ServerAddress address) {}

    /** What a Sentinel says without having been asked. Called on its event loop. */
    interface Listener {

        void introduced(SentinelLink link);

        /** This Sentinel names another primary than before. */
        void switched();
    }

    /**
     * Not yet connected.
     *
     * @param uri of the Sentinel
     * @param primary the name by which it knows the primary
     */
    SentinelLink(
            RedisURI uri, String primary, RedisClient client, ScheduledExecutorService scheduler, Listener listener) {
        this.uri = uri;
        this.address = new ServerAddress(uri.getHost(), uri.getPort());
        this.primary = primary;
        this.client = client;
        this.scheduler = scheduler;
        this.listener = listener;
    }

    RedisURI uri() {
        return uri;
    }

    ServerAddress address() {
        return address;
    }

    /** What it has said of itself, or {@code null} while it is not connected. */
    @Nullable Introduction introduction() {
        return introduction;
    }

    /** By which its vote is told from another's. */
    String identity() {
        Introduction known = introduction;
        return known == null ? address.toString() : known.id;
    }

    /** Why it does not say who is the primary, in words, or {@code null} when it does. */
    @Nullable String problem() {
        return problem;
    }

    /** Connects, until it has succeeded; from then on the client library restores the connection by itself. */
    void connect() {
        if (closed) {
            return;
        }
        CompletionStage<StatefulRedisPubSubConnection<String, String>> connecting;
        try {
            connecting = client.connectPubSubAsync(StringCodec.UTF8, uri);
        } catch (RuntimeException e) {
            connecting = CompletableFuture.failedStage(e);
        }
        var unused = connecting.whenComplete((connected, failure) -> {
            if (failure != null) {
                problem = "cannot be reached: " + RedisErrorLog.reasonOf(failure);
                first.completeExceptionally(failure);
                retry();
            } else if (closed) {
                var unusedToo = connected.closeAsync();
            } else {
                use(connected);
            }
        });
    }

    private void retry() {
        if (!closed && !scheduler.isShutdown()) {
            var unused = scheduler.schedule(this::connect, RETRY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void use(StatefulRedisPubSubConnection<String, String> connected) {
        connection = connected;
        connected.addListener(new RedisPubSubAdapter<String, String>() {
            @Override
            public void message(String channel, String message) {
                heard(channel, message);
            }
        });
        connected.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> lost) {
                introduction = null;
                problem = "is not connected";
            }

            @Override
            public void onRedisConnected(RedisChannelHandler<?, ?> restored, SocketAddress at) {
                introduce();
            }
        });
        introduce();
    }

    private void heard(String channel, String message) {
        if (channel.equals(ANOTHER)) {
            introduce();
        } else if (channel.equals(SWITCHED) && message.startsWith(primary + " ")) {
            listener.switched();
        }
    }

    /** Asks again what this Sentinel knows of itself and of the others. */
    void introduce() {
        StatefulRedisPubSubConnection<String, String> current = connection;
        if (current == null) {
            return;
        }
        // Older than 6.2, a Sentinel does not say its id.
        CompletionStage<String> id =
                ask(current, new StatusOutput<>(StringCodec.UTF8), "MYID").exceptionally(failure -> address.toString());
        CompletionStage<Map<String, String>> watched =
                ask(current, new MapOutput<>(StringCodec.UTF8), "MASTER", primary);
        CompletionStage<List<Map<String, String>>> others =
                ask(current, new ListOfMapsOutput<>(StringCodec.UTF8), "SENTINELS", primary);
        CompletionStage<Optional<Set<ServerAddress>>> replicas =
                replicas(current).thenApply(Optional::of).exceptionally(failure -> Optional.empty());
        var unused = id.thenCombine(
                        watched,
                        (own, state) -> others.thenCombine(
                                replicas, (list, known) -> introductionOf(own, state, list, known.orElse(null))))
                .thenCompose(introduced -> introduced)
                .whenComplete((introduced, failure) -> {
                    if (failure == null) {
                        boolean isNew = introduction == null;
                        introduction = introduced;
                        problem = null;
                        if (isNew) {
                            subscribe(current);
                        }
                        listener.introduced(this);
                        first.complete(current);
                    } else {
                        problem = problemOf(failure);
                        first.completeExceptionally(failure);
                        introduceLater();
                    }
                });
    }

    private void introduceLater() {
        if (introduction == null && !closed && !scheduler.isShutdown() && waiting.compareAndSet(false, true)) {
            var unused = scheduler.schedule(
                    () -> {
                        waiting.set(false);
                        introduce();
                    },
                    RETRY.toMillis(),
                    TimeUnit.MILLISECONDS);
        }
    }

    /** Over RESP2, a connection that has subscribed can ask nothing more: then the heartbeats alone find another primary. */
    private static void subscribe(StatefulRedisPubSubConnection<String, String> connected) {
        if (connected instanceof StatefulRedisConnectionImpl<?, ?> known
                && known.getConnectionState().getNegotiatedProtocolVersion() == ProtocolVersion.RESP3) {
            var unused = connected.async().subscribe(SWITCHED, ANOTHER);
        }
    }

    private static Introduction introductionOf(
            String id,
            Map<String, String> state,
            List<Map<String, String>> others,
            @Nullable Set<ServerAddress> replicas) {
        String downAfter = state.get("down-after-milliseconds");
        return new Introduction(
                id,
                Integer.parseInt(state.getOrDefault("num-other-sentinels", "0")) + 1,
                others.stream().flatMap(other -> otherOf(other).stream()).toList(),
                replicas,
                downAfter == null ? null : Duration.ofMillis(Long.parseLong(downAfter)));
    }

    /** Empty for a Sentinel whose address is not known, which counts all the same. */
    private static Optional<Other> otherOf(Map<String, String> other) {
        try {
            return Optional.of(new Other(
                    String.valueOf(other.get("runid")),
                    ServerAddress.parse(bracketed(String.valueOf(other.get("ip"))) + ":" + other.get("port"), 0)));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static String bracketed(String host) {
        return host.contains(":") ? "[" + host + "]" : host;
    }

    /** The server that this Sentinel names. Fails at once when it is not connected. */
    CompletableFuture<ServerAddress> named(Duration timeout) {
        StatefulRedisPubSubConnection<String, String> current = connection;
        if (current != null && introduction != null) {
            return named(current, timeout);
        }
        if (!first.isDone()) {
            return first.thenCompose(connected -> named(connected, timeout));
        }
        return CompletableFuture.failedFuture(new NoMajorityException("is not connected"));
    }

    private CompletableFuture<ServerAddress> named(
            StatefulRedisPubSubConnection<String, String> current, Duration timeout) {
        CompletableFuture<List<Object>> asked = ask(
                        current, new ArrayOutput<>(StringCodec.UTF8), "GET-MASTER-ADDR-BY-NAME", primary)
                .toCompletableFuture();
        return Deadline.of(asked, timeout, scheduler).thenApply(this::addressIn).whenComplete((named, failure) -> {
            if (introduction != null) {
                problem = failure == null ? null : problemOf(failure);
            }
        });
    }

    /** The server that this Sentinel names, and the replicas that it knows. Fails at once when it is not connected. */
    CompletableFuture<View> view(Duration timeout) {
        StatefulRedisPubSubConnection<String, String> current = connection;
        Introduction known = introduction;
        if (current == null || known == null) {
            return CompletableFuture.failedFuture(new NoMajorityException("is not connected"));
        }
        // The replicas first: a Sentinel that still names this primary then has named it when it listed them.
        CompletableFuture<Set<ServerAddress>> replicas =
                Deadline.of(replicas(current).toCompletableFuture(), timeout, scheduler);
        return named(current, timeout).thenCombine(replicas, (primary, all) -> new View(known.id, primary, all));
    }

    private CompletionStage<Set<ServerAddress>> replicas(StatefulRedisPubSubConnection<String, String> current) {
        return ask(current, new ListOfMapsOutput<>(StringCodec.UTF8), "REPLICAS", primary)
                .thenApply(all -> all.stream()
                        .map(each -> new ServerAddress(
                                String.valueOf(each.get("ip")), Integer.parseInt(String.valueOf(each.get("port")))))
                        .collect(Collectors.toUnmodifiableSet()));
    }

    private ServerAddress addressIn(List<Object> answer) {
        if (answer.size() != 2) {
            throw new NoMajorityException("knows no primary of the name " + primary);
        }
        return new ServerAddress(String.valueOf(answer.get(0)), Integer.parseInt(String.valueOf(answer.get(1))));
    }

    private String problemOf(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage());
            if (message.contains("No such master")) {
                return "knows no primary of the name " + primary;
            }
            if (message.contains("unknown command")
                    && message.toLowerCase(Locale.ROOT).contains("sentinel")) {
                return "is no Sentinel";
            }
            if (cause instanceof NoMajorityException) {
                return message;
            }
            if (cause instanceof TimeoutException) {
                return "does not answer";
            }
        }
        return "failed: " + RedisErrorLog.reasonOf(failure);
    }

    private static <T> CompletionStage<T> ask(
            StatefulRedisPubSubConnection<String, String> current,
            CommandOutput<String, String, T> answer,
            String... words) {
        CommandArgs<String, String> arguments = new CommandArgs<>(StringCodec.UTF8);
        List.of(words).forEach(arguments::add);
        try {
            return current.async().dispatch(CommandType.SENTINEL, answer, arguments);
        } catch (RuntimeException e) {
            return CompletableFuture.failedStage(e);
        }
    }

    /** Makes no connection any more. */
    void stop() {
        closed = true;
        introduction = null;
    }

    /** Ends the connection as well, without waiting for its end. */
    void close() {
        stop();
        StatefulRedisPubSubConnection<String, String> current = connection;
        if (current != null) {
            var unused = current.closeAsync();
        }
    }
}
