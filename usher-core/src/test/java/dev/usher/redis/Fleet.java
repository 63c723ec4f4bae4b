package dev.usher.redis;

import static org.awaitility.Awaitility.await;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import io.lettuce.core.event.Event;
import io.lettuce.core.event.EventBus;
import io.lettuce.core.metrics.CommandLatencyRecorder;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.DefaultClientResources;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;

/**
 * Many nodes in one process: each has the connections, the heartbeats and the part in the register that the product has, and no caches. They share their threads. Some may
 * be {@linkplain LightNodes light}, so that the machine has time for Redis.
 *
 * <p>Redis sees what it would see of as many idle applications.
 */
public final class Fleet implements AutoCloseable {

    private static final int CONNECTING = 8;

    private final ClientResources threads = DefaultClientResources.builder()
            .ioThreadPoolSize(2)
            .computationThreadPoolSize(2)
            .commandLatencyRecorder(CommandLatencyRecorder.disabled())
            .eventBus(new NoEvents())
            .build();
    private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1);
    private final List<SlotMap> nodes = new ArrayList<>();
    private final LongAdder revocations = new LongAdder();
    private @Nullable LightNodes light;

    private Fleet() {
        timer.setRemoveOnCancelPolicy(true);
        timer.setRejectedExecutionHandler(new ThreadPoolExecutor.DiscardPolicy());
    }

    /**
     * Starts nodes, and waits until each has read back a heartbeat, on each primary.
     *
     * @param uri of a server, or of a Cluster
     * @param prefix what all keys begin with
     * @param size how many are the product's own
     * @param lightNodes how many others there are
     * @param facet that fails closed
     * @param bound for how long each node may answer without a heartbeat
     */
    public static Fleet start(String uri, String prefix, int size, int lightNodes, String facet, Duration bound) {
        Fleet fleet = new Fleet();
        try {
            List<RedisURI> servers = RedisUris.isCluster(uri) ? RedisUris.cluster(uri) : List.of(RedisUris.parse(uri));
            RedisSettings settings = new RedisSettings(
                    servers.get(0),
                    RedisUris.isCluster(uri) ? servers : List.of(),
                    ClientOptions.create(),
                    Duration.ofSeconds(5),
                    new RedisSettings.Times(
                            Duration.ofSeconds(10),
                            Duration.ofSeconds(10),
                            Duration.ofHours(24),
                            Duration.ofSeconds(2)),
                    Clock.systemUTC(),
                    System::nanoTime,
                    RedisSettings.AwaitReplicas.AUTO);
            for (int node = 0; node < size; node++) {
                fleet.nodes.add(fleet.nodeOf(settings, prefix, "fleet-" + node, facet, bound));
            }
            fleet.connect();
            if (lightNodes > 0) {
                LightNodes light = new LightNodes(
                        fleet.registerOf(uri, prefix),
                        prefix,
                        lightNodes,
                        facet,
                        bound,
                        RedisUris.isCluster(uri) ? fleet.primaries(prefix) : List.of());
                fleet.light = light;
                await().atMost(Duration.ofSeconds(60)).until(() -> light.open() == lightNodes);
            }
            return fleet;
        } catch (Throwable e) {
            Closing.after(e, fleet::close);
            throw e;
        }
    }

    private SlotMap nodeOf(RedisSettings settings, String prefix, String name, String facet, Duration bound) {
        SlotMap node = settings.seeds().isEmpty()
                ? new OnePrimary(new RedisPrimary(
                        settings, prefix, name, timer, size -> {}, new Idle(), sharedThreads(), null, true))
                : new ClusterSlots(settings, prefix, name, timer, timer, size -> {}, new Idle());
        NodeRegister register = node.registered().register();
        register.bound(bound);
        register.limit(facet, bound);
        return node;
    }

    /** Of a Cluster, each primary with a hash tag in its slots. */
    private List<LightNodes.Part> primaries(String prefix) {
        SlotMap known = nodes.get(0);
        return known.primaries().stream()
                .map(primary -> {
                    int i = 0;
                    while (!known.primaryOf(prefix + ":beat:" + i).equals(primary)) {
                        i++;
                    }
                    return new LightNodes.Part(primary.clusterAddress(), prefix + ":beat:" + i);
                })
                .toList();
    }

    /** Where the register is. */
    private ServerAddress registerOf(String uri, String prefix) {
        RedisURI one = RedisUris.isCluster(uri) ? null : RedisUris.parse(uri);
        return one == null
                ? nodes.get(0).primaryOf(RegisterScripts.keyOf(prefix)).clusterAddress()
                : new ServerAddress(one.getHost(), one.getPort());
    }

    private ClientResources.Builder sharedThreads() {
        return ClientResources.builder()
                .eventLoopGroupProvider(threads.eventLoopGroupProvider())
                .eventExecutorGroup(threads.eventExecutorGroup())
                .timer(threads.timer())
                .eventBus(threads.eventBus())
                .commandLatencyRecorder(threads.commandLatencyRecorder());
    }

    private void connect() {
        ExecutorService connecting = Executors.newFixedThreadPool(CONNECTING);
        try {
            CompletableFuture.allOf(nodes.stream()
                            .map(node -> CompletableFuture.runAsync(node::open, connecting))
                            .toArray(CompletableFuture[]::new))
                    .join();
        } finally {
            connecting.shutdown();
        }
        await().atMost(Duration.ofSeconds(60)).until(() -> open() == nodes.size());
    }

    /** How many nodes have a tracked session, in which their heartbeats are read back. */
    public long open() {
        LightNodes others = light;
        return nodes.stream()
                        .filter(node -> node.all().stream().allMatch(primary -> primary.session() != null))
                        .count()
                + (others == null ? 0 : others.open());
    }

    /** Ends a node as {@code kill -9} does: it stays in the register. */
    public void kill(int node) {
        // The client library waits for threads that it does not end.
        new Thread(nodes.get(node)::close, "killed").start();
        await().until(() -> nodes.get(node).registered().session() == null);
    }

    /** How often a node has been told of users that were revoked. */
    public long revocations() {
        LightNodes others = light;
        return revocations.sum() + (others == null ? 0 : others.revocations());
    }

    @Override
    public void close() {
        // The connections end with their threads; to close each by itself would take the client library two seconds.
        LightNodes others = light;
        new Closing()
                .step(others == null ? () -> {} : others::close)
                .step(timer::shutdownNow)
                .step(() -> threads.shutdown(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS))
                .end();
    }

    /** Each node would be told of the connections of all others. */
    private static final class NoEvents implements EventBus {

        @Override
        public Flux<Event> get() {
            return Flux.never();
        }

        @Override
        public void publish(Event event) {}
    }

    /** Nothing is cached, so that there is nothing to forget. */
    private final class Idle implements RedisPrimary.Listener {

        @Override
        public void changed(String key) {}

        @Override
        public void notUnderstood(RuntimeException failure) {}

        @Override
        public void revoked(RevokedKeys users, IntConsumer processed) {
            revocations.increment();
            processed.accept(0);
        }

        @Override
        public void disconnected(RedisPrimary primary) {}

        @Override
        public void identified(RedisPrimary primary, boolean hasAll) {}
    }
}
