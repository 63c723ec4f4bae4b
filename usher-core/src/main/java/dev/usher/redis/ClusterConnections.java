package dev.usher.redis;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.DefaultClientResources;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/** Makes the connections to the servers of a Cluster, which all have the account and the TLS of the first one, and share threads. Thread-safe. */
final class ClusterConnections implements AutoCloseable {

    /** How long a server is waited for that may be away: less than a start waits for all connections. */
    private static final Duration PATIENCE = PrimaryConnector.CONNECT_TIMEOUT.dividedBy(2);

    private final RedisSettings settings;
    private final String keyPrefix;
    private final String node;
    private final ScheduledExecutorService scheduler;
    private final IntConsumer batchSizes;
    private final RedisPrimary.Listener listener;
    private final ClientResources threads = DefaultClientResources.create();
    private final RedisClient asking;

    ClusterConnections(
            RedisSettings settings,
            String keyPrefix,
            String node,
            ScheduledExecutorService scheduler,
            IntConsumer batchSizes,
            RedisPrimary.Listener listener) {
        this.scheduler = scheduler;
        this.settings = settings;
        this.keyPrefix = keyPrefix;
        this.node = node;
        this.batchSizes = batchSizes;
        this.listener = listener;
        try {
            this.asking = RedisClient.create(threads);
            ClientOptions options = settings.clientOptions();
            asking.setOptions(options.mutate()
                    .autoReconnect(false)
                    .socketOptions(mutated(options.getSocketOptions()))
                    .build());
        } catch (Throwable e) {
            Closing.after(e, this::closeThreads);
            throw e;
        }
    }

    private static SocketOptions mutated(SocketOptions options) {
        return options.mutate().connectTimeout(PrimaryConnector.CONNECT_TIMEOUT).build();
    }

    /**
     * A primary, not yet connected.
     *
     * @param part where it is
     * @param hasRegister whether it is asked about the register of nodes, and nothing else
     */
    RedisPrimary primary(ScheduledExecutorService timer, ClusterPart part, boolean hasRegister) {
        ServerAddress address = part.address();
        RedisURI uri = address == null ? RedisUris.copyOf(settings.uri()) : uriOf(address);
        return new RedisPrimary(
                settings.at(uri),
                keyPrefix,
                node,
                timer,
                batchSizes,
                listener,
                ClientResources.builder()
                        .eventLoopGroupProvider(threads.eventLoopGroupProvider())
                        .eventExecutorGroup(threads.eventExecutorGroup())
                        .timer(threads.timer()),
                part,
                hasRegister);
    }

    private RedisURI uriOf(ServerAddress address) {
        RedisURI uri = RedisUris.copyOf(settings.uri());
        uri.setHost(address.host());
        uri.setPort(address.port());
        return uri;
    }

    /** Asks servers over connections of the moment: those that were named in the settings, and others. Completed when each has answered, or has not in time. */
    CompletableFuture<List<ClusterTopology>> askAnew(Collection<ServerAddress> others) {
        Set<ServerAddress> all = new LinkedHashSet<>(others);
        settings.seeds().forEach(seed -> all.add(new ServerAddress(seed.getHost(), seed.getPort())));
        List<CompletableFuture<@Nullable ClusterTopology>> asked = new ArrayList<>();
        for (ServerAddress address : all) {
            asked.add(Deadline.of(askAnew(address), PATIENCE, scheduler)
                    .handle((said, failure) -> failure == null ? said : null));
        }
        return CompletableFuture.allOf(asked.toArray(CompletableFuture[]::new)).thenApply(done -> {
            List<ClusterTopology> said = asked.stream()
                    .map(CompletableFuture::join)
                    .filter(Objects::nonNull)
                    .toList();
            List<ClusterTopology> ofPrimaries =
                    said.stream().filter(ClusterTopology::isOfPrimary).toList();
            return ofPrimaries.isEmpty()
                    ? said
                    : ofPrimaries; // a server without slots may not have heard of the last moves
        });
    }

    private CompletableFuture<ClusterTopology> askAnew(ServerAddress address) {
        RedisURI uri = uriOf(address);
        uri.setTimeout(PrimaryConnector.CONNECT_TIMEOUT);
        return asking.connectAsync(TextKeysCodec.INSTANCE, uri)
                .toCompletableFuture()
                .thenCompose(connection -> Deadline.of(
                                connection.async().clusterNodes().toCompletableFuture(),
                                PrimaryConnector.CONNECT_TIMEOUT,
                                scheduler)
                        .thenApply(said -> ClusterTopology.parse(said, address))
                        .whenComplete((said, failure) -> {
                            var unused = connection.closeAsync();
                        }));
    }

    /** Ends a primary, without waiting for it: the client library waits for its own end. */
    void close(ClusterMember gone) {
        gone.primary().endSessions();
        Thread closing = new Thread(gone::close, "usher-close");
        closing.setDaemon(true);
        closing.start();
    }

    @Override
    public void close() {
        // The client library waits for its own end, and would leave it to itself.
        boolean interrupted = Thread.interrupted();
        Closing closing = new Closing()
                .step(() -> asking.shutdown(0, 2, TimeUnit.SECONDS))
                .step(this::closeThreads);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        closing.end();
    }

    private void closeThreads() {
        threads.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(2, TimeUnit.SECONDS);
    }
}
