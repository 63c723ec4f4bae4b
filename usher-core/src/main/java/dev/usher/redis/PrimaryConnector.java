package dev.usher.redis;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.event.connection.ReconnectFailedEvent;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.channel.Channel;
import io.netty.handler.flush.FlushConsolidationHandler;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;

/**
 * Makes the connections to one primary, and leads all of them to the server that its Sentinels name, where it has any. Thread-safe; no thread waits, but at
 * the end.
 */
final class PrimaryConnector implements AutoCloseable {

    /** How many commands may wait for each other before they are sent. */
    private static final int MAX_UNFLUSHED = 256;

    private static final long LONG_AGO = 1L << 61;

    private static final Duration FIRST_RECONNECT = Duration.ofMillis(50);
    private static final Duration SLOWEST_RECONNECT = Duration.ofMillis(500);

    /** After which Sentinels are asked again that have named no primary. */
    private static final Duration ASK_AGAIN = Duration.ofMillis(200);

    static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);

    private final RedisURI uri;
    private final ScheduledExecutorService scheduler;
    private final RedisErrorLog errorLog;
    private final Consumer<Throwable> attemptFailed;
    private final ClientResources resources;
    private final RedisClient client;
    private final Disposable failedAttempts;
    private final @Nullable Sentinels sentinels;
    private final @Nullable ClusterPart part;
    private final PrimaryJudge judge;

    /** All connections, those to Sentinels included. */
    private final Set<Channel> channels = ConcurrentHashMap.newKeySet();

    /** Attempts to connect that wait for a majority of the Sentinels. */
    private final Set<CompletableFuture<ServerAddress>> awaiting = ConcurrentHashMap.newKeySet();

    /** Why no majority of the Sentinels has named a primary when they were asked last, or {@code null} when one has. */
    private volatile @Nullable String unnamed;

    /**
     * Of no connection yet.
     *
     * @param threads the client library's, which are ended with this unless they are another's
     * @param part where it is, in a Cluster; else {@code null}
     * @param attemptFailed is told why a connection that was lost, or is to be made, cannot be
     */
    PrimaryConnector(
            RedisSettings settings,
            ClientResources.Builder threads,
            ScheduledExecutorService scheduler,
            RedisErrorLog errorLog,
            @Nullable ClusterPart part,
            Consumer<Throwable> attemptFailed) {
        this.part = part;
        this.uri = RedisUris.copyOf(settings.uri());
        uri.getSentinels().forEach(sentinel -> sentinel.setTimeout(CONNECT_TIMEOUT));
        this.scheduler = scheduler;
        this.errorLog = errorLog;
        this.attemptFailed = attemptFailed;
        Duration silence = settings.times().silence().compareTo(settings.commandTimeout()) > 0
                ? settings.times().silence()
                : settings.commandTimeout();
        this.resources = threads.reconnectDelay(
                        Delay.fullJitter(FIRST_RECONNECT, SLOWEST_RECONNECT, 50, TimeUnit.MILLISECONDS))
                .nettyCustomizer(new NettyCustomizer() {
                    @Override
                    public void afterChannelInitialized(Channel channel) {
                        // What callers write at the same time goes out together, and Redis finds it together.
                        channel.pipeline()
                                .addFirst(
                                        new SilenceHandler(silence),
                                        new FlushConsolidationHandler(MAX_UNFLUSHED, true));
                        channels.add(channel);
                        var unused = channel.closeFuture().addListener(closed -> channels.remove(channel));
                    }
                })
                .build();
        try {
            this.client = new PrimaryClient(resources, uri);
            client.setOptions(optionsOf(settings));
            this.sentinels = uri.getSentinels().isEmpty()
                    ? null
                    : new Sentinels(uri, client, scheduler, settings.commandTimeout(), this::leaveOthers);
            this.judge = sentinels != null
                    ? new NamedByMajority(sentinels)
                    : part != null ? new NamedByCluster(part) : PrimaryJudge.OWN_ADDRESS;
            // Of a connection that is restored, the client library tells by events alone why it is not.
            this.failedAttempts = resources.eventBus().get().subscribe(event -> {
                if (event instanceof ReconnectFailedEvent failed && !isSentinel(failed.remoteAddress())) {
                    attemptFailed.accept(failed.getCause());
                }
            });
        } catch (Throwable e) {
            Closing.after(e, this::closeResources);
            throw e;
        }
    }

    private ClientOptions optionsOf(RedisSettings settings) {
        ClientOptions options = settings.clientOptions();
        return options.mutate()
                .autoReconnect(true)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .reauthenticateBehavior(
                        uri.getCredentialsProvider().supportsStreaming()
                                ? ClientOptions.ReauthenticateBehavior.ON_NEW_CREDENTIALS
                                : options.getReauthenticateBehaviour())
                .socketOptions(options.getSocketOptions()
                        .mutate()
                        .connectTimeout(CONNECT_TIMEOUT)
                        .build())
                .build();
    }

    /** Begins to connect to the Sentinels, where there are any. */
    void open() {
        if (sentinels != null) {
            sentinels.open();
        }
    }

    /** As {@link RedisLink#connect}, to the primary. */
    CompletionStage<?> connect(
            RedisLink link, Function<StatefulRedisConnection<String, byte[]>, CompletionStage<?>> use) {
        return link.connect(client, uri, use);
    }

    /** The address of the server, or {@code null} while no connection leads to one that the Sentinels have named. */
    @Nullable String address() {
        if (sentinels == null) {
            return errorLog.address();
        }
        for (Channel channel : channels) {
            ServerAddress server = ServerAddress.of(channel.remoteAddress());
            if (server != null && !isSentinel(channel.remoteAddress())) {
                return server.toString();
            }
        }
        return null;
    }

    /** Its Sentinels, or {@code null} when it is known by its own address. */
    @Nullable Sentinels sentinels() {
        return sentinels;
    }

    /** Says whether all connections lead to the primary. */
    PrimaryJudge judge() {
        return judge;
    }

    /** Why no majority of the Sentinels has named a primary when they were asked last, in words, or {@code null} when one has. */
    @Nullable String unnamed() {
        return unnamed;
    }

    /** The client library's own, except that a majority of the Sentinels says where the primary is, each time that a connection is made. */
    private final class PrimaryClient extends RedisClient {

        private PrimaryClient(ClientResources resources, RedisURI uri) {
            super(resources, uri);
        }

        @Override
        protected Mono<SocketAddress> getSocketAddress(RedisURI of) {
            ClusterPart known = part;
            if (known != null) {
                // Asked again for each attempt.
                return Mono.fromSupplier(() -> {
                    ServerAddress now = known.address();
                    return now == null ? new ServerAddress(of.getHost(), of.getPort()).unresolved() : now.unresolved();
                });
            }
            Sentinels current = sentinels;
            if (current == null || of.getSentinels().isEmpty()) {
                return super.getSocketAddress(of);
            }
            // Asked again for each attempt. When that fails, the client library would connect to where it was before.
            AtomicBoolean isRestored = new AtomicBoolean();
            return Mono.fromCompletionStage(
                    () -> (isRestored.getAndSet(true) ? awaitPrimary(current) : current.primary())
                            .thenApply(ServerAddress::unresolved));
        }
    }

    /** The server that a majority names, as soon as one does. */
    private CompletableFuture<ServerAddress> awaitPrimary(Sentinels all) {
        CompletableFuture<ServerAddress> named = new CompletableFuture<>();
        awaiting.add(named);
        var unused = named.whenComplete((primary, failure) -> awaiting.removeIf(CompletableFuture::isDone));
        askForPrimary(all, named);
        return named;
    }

    private void askForPrimary(Sentinels all, CompletableFuture<ServerAddress> named) {
        if (named.isDone()) {
            return;
        }
        var unused = all.primary().whenComplete((primary, failure) -> {
            if (failure == null) {
                named.complete(primary);
                return;
            }
            attemptFailed.accept(failure);
            try {
                var unusedToo = scheduler.schedule(
                        () -> askForPrimary(all, named), ASK_AGAIN.toMillis(), TimeUnit.MILLISECONDS);
            } catch (RejectedExecutionException e) {
                named.completeExceptionally(failure); // the caches are closed
            }
        });
    }

    private boolean isSentinel(@Nullable SocketAddress address) {
        Sentinels current = sentinels;
        return current != null && current.isSentinel(address);
    }

    /** Closes the connections to all servers but this one; they are then made to the one that the Sentinels name. */
    private void leaveOthers(ServerAddress primary) {
        awaiting.forEach(named -> named.complete(primary));
        var unused = leadTo(primary);
    }

    private boolean leadTo(ServerAddress primary) {
        boolean all = true;
        for (Channel channel : channels) {
            ServerAddress server = ServerAddress.of(channel.remoteAddress());
            if (server != null && !server.equals(primary) && !isSentinel(channel.remoteAddress())) {
                all = false;
                var unused = channel.close();
            }
        }
        return all;
    }

    /** Says yes while a majority of the Sentinels names the server that all connections lead to. */
    private final class NamedByMajority implements PrimaryJudge {

        private final Sentinels all;
        private volatile long namedAt = System.nanoTime() - LONG_AGO;

        /** How often a connection was lost or made. */
        private volatile int changes;

        private NamedByMajority(Sentinels all) {
            this.all = all;
        }

        @Override
        public CompletionStage<Boolean> ask() {
            long askedAt = System.nanoTime();
            int before = changes;
            return all.primary().handle((primary, failure) -> {
                if (primary == null) {
                    unnamed = RedisErrorLog.reasonOf(failure);
                    var unused = errorLog.failed("may have been replaced: " + unnamed);
                    return false;
                }
                if (unnamed != null) {
                    unnamed = null;
                    errorLog.ended();
                }
                return leadTo(primary) && named(askedAt, before);
            });
        }

        /** Notes a yes, unless it is one for other connections than those that there are now. */
        private synchronized boolean named(long askedAt, int before) {
            if (changes != before) {
                return false;
            }
            if (askedAt - namedAt > 0) {
                namedAt = askedAt;
            }
            return true;
        }

        @Override
        public CompletionStage<Candidates> askCandidates(Replication written) {
            return all.census().thenApply(census -> {
                ServerAddress primary = census.primary();
                return primary == null || leadTo(primary)
                        ? census.candidates()
                        : Candidates.unknown("a majority of the Sentinels names another primary, " + primary);
            });
        }

        @Override
        public long notAfter(long moment) {
            long named = namedAt;
            return moment - named > 0 ? named : moment;
        }

        @Override
        public synchronized void connectionsChanged() {
            changes++;
            namedAt = System.nanoTime() - LONG_AGO;
        }
    }

    /** Has all connections lead to where the Cluster says that the primary is. */
    void leadTo() {
        ServerAddress now = part == null ? null : part.address();
        if (now != null) {
            leaveOthers(now);
        }
    }

    /** Ends all connections, and has each made anew: the name that they were made by may lead to another server by now. */
    void reconnect() {
        for (Channel channel : channels) {
            var unused = channel.close();
        }
    }

    /** Says yes while all connections lead to the server that the Cluster names; that it is one, the heartbeats on it prove. */
    private final class NamedByCluster implements PrimaryJudge {

        private final ClusterPart place;

        private NamedByCluster(ClusterPart place) {
            this.place = place;
        }

        @Override
        public CompletionStage<Boolean> ask() {
            ServerAddress now = place.address();
            return CompletableFuture.completedStage(now != null && leadTo(now));
        }

        @Override
        public long notAfter(long moment) {
            return moment;
        }

        @Override
        public CompletionStage<Candidates> askCandidates(Replication written) {
            return place.candidates();
        }

        @Override
        public void connectionsChanged() {
            place.changed();
        }
    }

    /** Ends all connections, for good. */
    @Override
    public void close() {
        new Closing()
                .step(failedAttempts::dispose)
                .step(() -> {
                    if (sentinels != null) {
                        sentinels.close();
                    }
                })
                .step(() -> client.shutdown(0, 2, TimeUnit.SECONDS))
                .step(this::closeResources)
                .end();
    }

    private void closeResources() {
        resources.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
    }
}
