package dev.usher.redis;

import java.time.Duration;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/** A primary of a Cluster: a server with its id, at an address. Thread-safe. */
final class ClusterMember implements ClusterPart, AutoCloseable {

    private final String id;
    private final ServerAddress address;
    private final ClusterSlots cluster;
    private final ScheduledThreadPoolExecutor timer;
    private final RedisPrimary primary;
    private final CompletableFuture<Object> connected = new CompletableFuture<>();
    private volatile BitSet slots = new BitSet();
    private volatile @Nullable Pair pair;

    /** What is read of it in facets that fail closed: within its session, and that of the register. */
    private record Pair(Session session, Session ofRegister, Session both) {}

    ClusterMember(String id, ServerAddress address, ClusterSlots cluster, ClusterConnections connections) {
        this.id = id;
        this.address = address;
        this.cluster = cluster;
        // Of its own: what is done now and then ends with this member.
        this.timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "usher-timer-" + address.port());
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
        timer.setRejectedExecutionHandler(new ThreadPoolExecutor.DiscardPolicy()); // after close()
        this.primary = connections.primary(timer, this, false);
    }

    /** Connects, without waiting for it. */
    void connect() {
        var unused = primary.connect().whenComplete((done, failure) -> connected.complete(this));
        primary.begin();
    }

    /** Completed when the connections stand, or the first attempt has failed. */
    CompletableFuture<?> connected() {
        return connected;
    }

    RedisPrimary primary() {
        return primary;
    }

    void has(BitSet now) {
        slots = now;
    }

    @SuppressWarnings("ReferenceEquality") // a session is told apart by identity
    Session within(Session session, Session ofRegister) {
        Pair known = pair;
        if (known == null || known.session != session || known.ofRegister != ofRegister) {
            known = new Pair(session, ofRegister, Session.withinBoth(session, ofRegister));
            pair = known;
        }
        return known.both;
    }

    @Override
    public ServerAddress address() {
        return address;
    }

    @Override
    public CompletionStage<Candidates> candidates() {
        return cluster.candidatesOf(id);
    }

    @Override
    public BitSet slots() {
        return slots;
    }

    @Override
    public String id() {
        return id;
    }

    @Override
    public void changed() {
        cluster.changed();
    }

    @Override
    public void lost(BitSet lost) {
        cluster.noteLost(lost);
    }

    @Override
    public Duration lag() {
        return cluster.lag();
    }

    @Override
    public NodeRegister register() {
        return cluster.registered().register();
    }

    @Override
    public void close() {
        primary.endSessions();
        timer.shutdownNow();
        primary.close();
    }
}
