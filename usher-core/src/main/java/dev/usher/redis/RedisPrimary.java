package dev.usher.redis;

import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.resource.ClientResources;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One Redis server that takes writes: what is asked of it over its two connections, in which session, and whether its answers are believed.
 *
 * <p>Every call is answered or failed within the command timeout, unless it says that it does not wait. Thread-safe.
 */
public final class RedisPrimary implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(RedisPrimary.class);

    /** How often a sleep of this machine is looked for. */
    private static final Duration HEARTBEAT = Duration.ofMillis(100);

    /** How often it is looked whether a heartbeat is due. */
    private static final Duration BEAT_LOOK = Duration.ofMillis(50);

    /** How often the server's clock, its role and its replicas are looked at. */
    private static final Duration LOOK = Duration.ofSeconds(10);

    /** How often Redis is asked how it makes room. */
    private static final Duration EVICTION_LOOK = Duration.ofMinutes(1);

    /** How often a replica is asked whether it has become the primary. */
    private static final Duration REPLICA_LOOK = Duration.ofMillis(250);

    /** How long ago the last proof may be of a primary that is well, at least. */
    private static final Duration SETTLED = Duration.ofSeconds(1);

    /** How long a server of a Cluster may send callers elsewhere with what is its own, until the connections to it are made anew. */
    private static final Duration ASTRAY = Duration.ofSeconds(1);

    /** The same where it knows of no server that has the slot: as a rule the Cluster is down, and all nodes would connect to all servers. */
    private static final Duration DOWN = Duration.ofSeconds(30);

    private static final String NODE_TIMEOUT = "cluster-node-timeout";

    private final PrimaryConnector connector;
    private final ScheduledExecutorService scheduler;
    private final Listener listener;
    private final IntConsumer batchSizes;
    private final RedisErrorLog errorLog;
    private final RedisLink readLink;
    private final RedisLink scriptLink;
    private final RedisLink revocationLink;
    private final RedisLink heartbeatLink;
    private final Acknowledgements acknowledgements;
    private final @Nullable ClusterPart part;

    /** The register of nodes, or {@code null} where that is reached over other connections. */
    private final @Nullable NodeRegister register;

    private final Heartbeat heartbeat;
    private final TenantRegisters tenants;
    private final ServerClock clock = new ServerClock();
    private final Proof proof = new Proof();
    private final CurrentSession session = new CurrentSession();
    private final Pauses pauses;
    private final ServerFacts facts;
    private final StoredKeys storedKeys;
    private final GuardProtocol guards;

    private volatile @Nullable Duration nodeTimeout;

    /** Since when the server has refused slots that it should have, in {@link System#nanoTime()}, or {@code null} when it does not. */
    private volatile @Nullable Long refusedSince;

    private volatile @Nullable TrackedConnection tracked;
    private volatile @Nullable BatchedReads reads;

    /** What is told of a primary. Each call comes on an event loop. */
    public interface Listener {

        /** What stands under this key has changed since it was read. */
        void changed(String key);

        /** A push could not be understood: any key may have changed, and nothing that was read before is answered any more. */
        void notUnderstood(RuntimeException failure);

        /**
         * Users have been revoked. They are in quarantine already, and what is known of them is to be forgotten; it must not wait.
         *
         * @param processed to be called when that is done, with how many open things it has ended
         */
        void revoked(RevokedKeys users, IntConsumer processed);

        /** The connection of the scripts is lost: what this primary had confirmed of late may be lost as well. */
        void disconnected(RedisPrimary primary);

        /**
         * The server is known to which the connection of the scripts leads, after it was made or lost.
         *
         * @param hasAll whether it is certainly the same one as before, and has lost nothing
         */
        void identified(RedisPrimary primary, boolean hasAll);

        /**
         * Keys are on other primaries than before, which may be without what those had confirmed.
         *
         * @param isMoved whether a key is one of them
         */
        default void moved(Predicate<String> isMoved) {}
    }

    /**
     * Not yet connected.
     *
     * @param keyPrefix what all keys begin with
     * @param node this process's name in the register of nodes
     * @param batchSizes is told of how many reads are in each call
     */
    RedisPrimary(
            RedisSettings settings,
            String keyPrefix,
            String node,
            ScheduledExecutorService scheduler,
            IntConsumer batchSizes,
            Listener listener) {
        this(settings, keyPrefix, node, scheduler, batchSizes, listener, ClientResources.builder());
    }

    /**
     * As the other, with threads that other primaries may use as well.
     *
     * @param clientThreads the client library's threads, which are ended with this primary unless they are another's
     */
    RedisPrimary(
            RedisSettings settings,
            String keyPrefix,
            String node,
            ScheduledExecutorService scheduler,
            IntConsumer batchSizes,
            Listener listener,
            ClientResources.Builder clientThreads) {
        this(settings, keyPrefix, node, scheduler, batchSizes, listener, clientThreads, null, true);
    }

    /**
     * As the other.
     *
     * @param part where it is, in a Cluster; else {@code null}
     * @param hasRegister whether this node is registered here
     */
    RedisPrimary(
            RedisSettings settings,
            String keyPrefix,
            String node,
            ScheduledExecutorService scheduler,
            IntConsumer batchSizes,
            Listener listener,
            ClientResources.Builder clientThreads,
            @Nullable ClusterPart part,
            boolean hasRegister) {
        this.part = part;
        this.scheduler = scheduler;
        this.listener = listener;
        this.batchSizes = batchSizes;
        this.errorLog =
                part == null ? new RedisErrorLog(settings.uri()) : new RedisErrorLog(settings.uri(), part::address);
        this.pauses = new Pauses(session, settings.clock(), settings.nanoTime());
        Duration timeout = settings.commandTimeout();
        boolean isOfCluster = part != null;
        this.readLink = new RedisLink(timeout, scheduler, errorLog, RedisAsyncCommands::ping, isOfCluster);
        this.scriptLink = new RedisLink(timeout, scheduler, errorLog, pauses::lookForPause, isOfCluster);
        this.revocationLink = new RedisLink(timeout, scheduler, errorLog, RedisAsyncCommands::ping, isOfCluster);
        this.heartbeatLink = new RedisLink(timeout, scheduler, errorLog, RedisAsyncCommands::ping, isOfCluster);
        this.storedKeys = new StoredKeys(scriptLink);
        this.guards = new GuardProtocol(scriptLink, clock, part);
        RegisteredAt server = new RegisteredAt();
        if (part == null || hasRegister) {
            this.register = new NodeRegister(
                    keyPrefix,
                    node,
                    settings.times().registerLife(),
                    settings.times().markLife(),
                    scriptLink,
                    server);
            this.heartbeat = register;
        } else {
            this.register = null;
            this.heartbeat = new SlotHeartbeat(
                    keyPrefix, node, part.register().limits(), scriptLink, part, server, session::renew);
        }
        this.tenants = new TenantRegisters(
                keyPrefix, scriptLink, session, settings.times().markLife());
        this.connector = new PrimaryConnector(settings, clientThreads, scheduler, errorLog, part, failure -> {
            readLink.attemptFailed(failure);
            scriptLink.attemptFailed(failure);
        });
        this.facts = new ServerFacts(
                errorLog, connector.sentinels(), part != null, settings.times().suspicion(), new Replicated());
        this.acknowledgements = new Acknowledgements(
                settings.awaitReplicas(),
                connector.judge(),
                scriptLink,
                revocationLink,
                heartbeatLink,
                link -> connector.connect(link, connected -> CompletableFuture.completedStage(null)));
    }

    /** Connects, and waits until the connections stand or the first attempt has failed. */
    void open() {
        begin();
        try {
            connect().get(PrimaryConnector.CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            connectFailed(e);
        }
    }

    /** Begins with what is done now and then. */
    void begin() {
        connector.open();
        Sentinels sentinels = connector.sentinels();
        if (sentinels != null) {
            every(LOOK, sentinels::refresh);
        }
        every(HEARTBEAT, pauses::lookForSleep);
    }

    /** Begins to connect. Completed when the connections stand, or failed when the first attempt has. */
    CompletableFuture<?> connect() {
        // In the register first: nothing is kept in memory before.
        CompletableFuture<?> scripts =
                connector.connect(scriptLink, this::useForScripts).toCompletableFuture();
        return CompletableFuture.allOf(
                scripts,
                scripts.handle((connected, failure) -> null)
                        .thenCompose(any -> acknowledgements.open())
                        .thenCompose(any -> connector.connect(readLink, this::useForReads)));
    }

    /** Notes that no connection could be made at the start. */
    void connectFailed(Throwable failure) {
        readLink.attemptFailed(failure);
        scriptLink.attemptFailed(failure);
        var unused = errorLog.failed("cannot be reached: " + errorLog.unconnectedBecause(failure));
    }

    /** Has all connections lead to where the Cluster says that this primary is. */
    void leadTo() {
        connector.leadTo();
    }

    // As a part of a Cluster.

    /** Its address, as the Cluster knows it. */
    ServerAddress clusterAddress() {
        ServerAddress known = part == null ? null : part.address();
        return known == null ? new ServerAddress("unknown", 1) : known;
    }

    /** Whether what is read of a slot from now on may be cached: when the slot is lost, the session ends. */
    boolean covers(int slot) {
        return heartbeat instanceof SlotHeartbeat ofSlots && ofSlots.covers(slot);
    }

    /** Nothing that was read of it until now is answered any more. */
    void endReads() {
        session.renew();
    }

    /** Whether the primary has taken a write of this node within the bound. */
    boolean isProven(long boundNanos) {
        return proof.isWithin(boundNanos, System.nanoTime());
    }

    /** Whether it is connected and answers, and has taken a write of this node a moment ago. */
    boolean isSettled() {
        long moment = Math.max(SETTLED.toNanos(), 4 * register().limits().beatNanos());
        return state() == RedisState.ANSWERING && isProven(moment);
    }

    /** How long it goes on taking writes without most of the others ({@code cluster-node-timeout}), or {@code null} while that is not known. */
    @Nullable Duration nodeTimeout() {
        return nodeTimeout;
    }

    private void lookAtNodeTimeout(RedisAsyncCommands<String, byte[]> redis) {
        if (part == null) {
            return;
        }
        var unused = redis.configGet(NODE_TIMEOUT).thenAccept(said -> {
            String millis = said.get(NODE_TIMEOUT);
            if (millis != null && millis.matches("\\d{1,12}")) {
                nodeTimeout = Duration.ofMillis(Long.parseLong(millis));
            }
        });
    }

    /** The servers of the Cluster, as this one knows them. */
    CompletableFuture<ClusterTopology> askCluster(ServerAddress asked) {
        if (!scriptLink.isMade()) {
            return CompletableFuture.failedFuture(new SharedTierException("is not connected yet", null));
        }
        try {
            return scriptLink
                    .bounded(scriptLink.commands().clusterNodes().toCompletableFuture())
                    .thenApply(said -> ClusterTopology.parse(said, asked));
        } catch (SharedTierException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** The connection of the scripts. */
    StatefulRedisConnection<String, byte[]> scripts() throws SharedTierException {
        return scriptLink.made();
    }

    /** Waits until the replicas have all that this primary has confirmed. */
    Revocations.Acknowledged acknowledgeAll(Duration atMost) {
        try {
            if (!(heartbeat instanceof SlotHeartbeat ofSlots)) {
                throw new SharedTierException("no primary is known", null);
            }
            Replication known = facts.replication();
            if (known == null) {
                var unused =
                        scriptLink.await(facts.lookAtRole(scriptLink.commands()).toCompletableFuture(), atMost);
                known = facts.replication();
            }
            if (known == null) {
                throw scriptLink.failed(scriptLink.notConnected());
            }
            RedisLink link = acknowledgements.ofRevocations();
            RedisAsyncCommands<String, byte[]> redis = link.commandsToWaitFor();
            var unused = link.await(ofSlots.writeOver(redis), atMost);
            return acknowledgements.await(link, redis, known.history(), atMost);
        } catch (SharedTierException e) {
            return new Revocations.Acknowledged(
                    0, false, "it is not known which replicas have acknowledged the ban: " + e.getMessage());
        }
    }

    /** The tracked session under way, or {@code null} while changes go unseen. */
    @Nullable Session session() {
        Session current = session.get();
        return current.isTracked() ? current : null;
    }

    /**
     * The session in which what Redis answers may be cached in memory, or {@code null} when it may not be. To be asked for before
     * the read.
     */
    @Nullable Session sessionOfReads() {
        Session current = session.get();
        TrackedConnection connection = tracked;
        return current.isTracked() || (connection != null && connection.isRefused()) ? current : null;
    }

    /**
     * The session in which what the source answers in place of Redis may be cached, or {@code null} when it may not be: in a tracked session
     * Redis only tells of changes of keys that this connection has read. To be asked for before the read.
     */
    @Nullable Session sessionWithoutRedis() {
        Session current = session.get();
        return current.isTracked() ? null : current;
    }

    /**
     * What stands under a key, over the connection whose reads are tracked.
     *
     * @return the bytes, or {@code null} when there is nothing, or something else than a string; completed as {@link RedisLink#bounded} says
     */
    CompletableFuture<byte @Nullable []> get(String key, Timeouts timeouts) {
        return read(timeouts, redis -> redis.get(key));
    }

    /** As {@link #get} for each key, in one round trip. It fails where all keys are refused; one that is refused alone fails no other one. */
    CompletableFuture<List<StoredValue>> getAll(List<String> keys, Timeouts timeouts) {
        return read(timeouts, redis -> redis.getAll(keys).thenApply(this::notRefused));
    }

    private List<StoredValue> notRefused(List<StoredValue> values) {
        List<Throwable> refusals = values.stream()
                .map(StoredValue::refusal)
                .filter(Objects::nonNull)
                .toList();
        if (!refusals.isEmpty() && refusals.size() == values.size()) {
            throw new CompletionException(refusals.get(0));
        }
        refusals.forEach(refusal -> {
            readLink.note(refusal);
            askAnew(refusal);
        });
        return values;
    }

    /** Has the Cluster asked anew where a key was not where it should be. */
    private void askAnew(@Nullable Throwable failure) {
        if (part != null && Redirect.isOfMap(failure)) {
            part.changed();
        }
    }

    private <T extends @Nullable Object> CompletableFuture<T> read(
            Timeouts timeouts, Function<BatchedReads, CompletableFuture<T>> read) {
        try {
            CompletableFuture<T> answer = read.apply(readsToWaitFor());
            if (part != null) {
                var unused = answer.whenComplete((value, failure) -> askAnew(failure));
            }
            return readLink.bounded(answer, timeouts);
        } catch (SharedTierException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private BatchedReads readsToWaitFor() throws SharedTierException {
        readLink.requireAsked();
        BatchedReads current = reads;
        if (current == null) {
            throw readLink.failed(readLink.notConnected());
        }
        return current;
    }

    /** Looks at a key without having it tracked. */
    StoredKeys.Inspection inspect(String key) throws SharedTierException {
        return storedKeys.inspect(key);
    }

    /** Goes on through the keys whose names match a pattern, without waiting for the answer. */
    public CompletableFuture<StoredKeys.Keys> scan(String cursor, String pattern) {
        return storedKeys.scan(cursor, pattern);
    }

    /** Whether the last call of either kind has failed. */
    boolean isFailing() {
        return readLink.isFailing() || scriptLink.isFailing();
    }

    /** How Redis is doing, as far as is known without asking. */
    RedisState state() {
        if (!readLink.isConnected() || !scriptLink.isConnected()) {
            return RedisState.UNREACHABLE;
        }
        if (readLink.isLeftAlone() || scriptLink.isLeftAlone()) {
            return RedisState.SILENT;
        }
        return readLink.hasFailedLately() || scriptLink.hasFailedLately() || connector.unnamed() != null
                ? RedisState.FAILING
                : RedisState.ANSWERING;
    }

    /** How many callers wait for a read, about. */
    int waitingForReads() {
        return readLink.waiting();
    }

    /** Whether Redis has no way to tell of changes. */
    boolean isResp2Only() {
        TrackedConnection connection = tracked;
        return connection != null && connection.isResp2Only();
    }

    /** What is wrong with Redis, in words without any of a user, or {@code null} while it answers. */
    @Nullable String lastError() {
        if (state() == RedisState.ANSWERING) {
            return null;
        }
        if (!scriptLink.isConnected()) {
            return scriptLink.notConnected();
        }
        if (!readLink.isConnected()) {
            return readLink.notConnected();
        }
        String doubt = connector.unnamed();
        if (doubt != null) {
            return doubt;
        }
        // An idle node has asked for nothing but the pulse.
        return readLink.isLeftAlone() || scriptLink.isLeftAlone() ? RedisLink.NOT_ASKED : errorLog.latest();
    }

    /** How Redis makes room when its memory is full, or {@code null} while that is not known. */
    @Nullable Eviction eviction() {
        return facts.eviction();
    }

    /** What is known of this server without asking it. */
    ServerStanding standing() {
        return facts.standing(connector.address(), part == null ? null : part.lag());
    }

    /** Why this server cannot be the shared tier, and what to name instead, in words, or {@code null} when it can. */
    @Nullable String unfitServer() {
        return facts.unfitServer();
    }

    /** What the Sentinels have said last, in words, or {@code null} without Sentinels. */
    @Nullable String sentinels() {
        Sentinels sentinels = connector.sentinels();
        return sentinels == null ? null : sentinels.said();
    }

    /** Why a primary that has been replaced may take writes for too long, in words, or {@code null} when that is not known. */
    @Nullable String riskyFailover() {
        return facts.riskyFailover();
    }

    /** By which old values are kept out of this Redis. */
    public GuardProtocol guards() {
        return guards;
    }

    /** The link of the scripts. */
    RedisLink scriptLink() {
        return scriptLink;
    }

    /** When the latest write was sent that has been read back over the other connection, or when this began if there has been none. */
    long lastProvenAt() {
        return proof.lastAt();
    }

    /** The nodes that share this Redis. */
    NodeRegister register() {
        return register == null
                ? Objects.requireNonNull(part, "part of a Cluster").register()
                : register;
    }

    /** The registers of tenants that this node answers for. */
    TenantRegisters tenants() {
        return tenants;
    }

    /** Ends the session for good: from now on nothing that was read is answered again. */
    void endSessions() {
        session.close();
    }

    @Override
    public void close() {
        // The client library waits for its own end, and would leave it to itself.
        boolean interrupted = Thread.interrupted();
        Closing closing = new Closing().step(session::close).step(connector::close);
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        closing.end();
    }

    /** A connection leads to another server than before, perhaps: nothing is known of that one. */
    private void unproven() {
        proof.forget();
        heartbeat.unproven();
        connector.judge().connectionsChanged();
    }

    private CompletionStage<?> useForScripts(StatefulRedisConnection<String, byte[]> connected) {
        connected.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> lost) {
                // The next server at this address may have lost the fences, or be another one with another clock.
                clock.forget();
                pauses.forget();
                facts.lost();
                unproven();
                listener.disconnected(RedisPrimary.this);
            }

            @Override
            public void onRedisConnected(RedisChannelHandler<?, ?> restored, SocketAddress address) {
                scheduler.execute(() -> {
                    loadScripts(connected.async());
                    var unused = lookAtClock(connected.async());
                    facts.lookAtEviction(connected.async());
                    var unusedToo = facts.lookAtRole(connected.async());
                    facts.lookAtFailover(connected.async());
                    lookAtNodeTimeout(connected.async());
                });
            }
        });
        loadScripts(connected.async());
        facts.lookAtFailover(connected.async());
        facts.lookAtEviction(connected.async());
        lookAtNodeTimeout(connected.async());
        every(EVICTION_LOOK, () -> {
            facts.lookAtEviction(connected.async());
            lookAtNodeTimeout(connected.async());
        });
        every(LOOK, () -> {
            var unused = lookAtClock(connected.async());
            lookAtRole();
        });
        every(REPLICA_LOOK, () -> {
            if (facts.isReplica()) {
                lookAtRole();
            }
        });
        return lookAtClock(connected.async())
                .thenCombine(facts.lookAtRole(connected.async()), (clock, role) -> null)
                .thenCompose(asked -> heartbeat.write());
    }

    /**
     * Redis evicts scripts that came with {@code EVAL} when it has many of them, and none that was loaded. Without a right to load, the
     * first call of a script sends its text.
     */
    private static void loadScripts(RedisAsyncCommands<String, byte[]> redis) {
        GuardScript.ALL.forEach(script -> {
            var unused = redis.scriptLoad(script.source()).exceptionally(failure -> {
                log.debug(
                        "A script was not loaded, and is sent when it is needed: {}", RedisErrorLog.reasonOf(failure));
                return "";
            });
        });
    }

    /** Completed on the connection's event loop, before the end of that connection can be. */
    private CompletionStage<?> lookAtClock(RedisAsyncCommands<String, byte[]> redis) {
        return redis.time().whenComplete((time, failure) -> {
            if (failure == null) {
                clock.sample(time, System.nanoTime());
            }
        });
    }

    /** What follows from how the server is replicated. */
    private final class Replicated implements ServerFacts.Listener {

        @Override
        public void replicated(Replication now) {
            acknowledgements.note(now);
        }

        @Override
        public void identified(boolean hasAll) {
            if (!hasAll) {
                register().quarantine().fencesLost();
            }
            listener.identified(RedisPrimary.this, hasAll);
        }

        @Override
        public void replaced() {
            clock.forget();
            unproven();
            listener.disconnected(RedisPrimary.this);
            identified(false);
            lookAtClock();
        }
    }

    /** What the register of nodes has to know of this server. */
    private final class RegisteredAt implements NodeRegister.Server {

        @Override
        public @Nullable String history() {
            Replication known = facts.replication();
            return known == null ? null : known.history();
        }

        @Override
        public CompletionStage<?> askHistory() {
            try {
                return facts.lookAtRole(scriptLink.commands());
            } catch (SharedTierException e) {
                return CompletableFuture.failedStage(e);
            }
        }

        @Override
        public void writeFailed(Throwable failure) {
            if (Redirect.isOfMap(failure)) {
                refused(failure);
            }
            if (RedisLink.isAnswer(failure instanceof CompletionException ? failure.getCause() : failure)) {
                lookAtRole();
            }
        }

        @Override
        public void provenNoLaterThan(long moment) {
            session.get().seenNoLaterThan(moment);
            proof.noLaterThan(moment);
        }

        @Override
        public Duration lag() {
            return part == null ? Duration.ZERO : part.lag();
        }

        @Override
        public Acknowledgements acknowledgements() {
            return acknowledgements;
        }

        @Override
        public void revoked(RevokedKeys users, IntConsumer processed) {
            listener.revoked(users, processed);
        }
    }

    /**
     * Whether what this primary says of a key is believed, in a facet that fails closed: the primary has taken a write of this node within the bound, and the
     * user was not revoked a moment ago.
     */
    boolean isBelieved(String key, long boundNanos) {
        long now = System.nanoTime();
        return proof.isWithin(boundNanos, now) && !facts.isSuspect(now) && heartbeat.isBelieved(key);
    }

    /** The fences are gone with all the rest, and rows that were read before may not be offered any more. A server that becomes a replica says the same. */
    public void flushed() {
        clock.forget();
        lookAtClock();
        lookAtRole();
    }

    private void lookAtClock() {
        try {
            var unused = lookAtClock(scriptLink.commands());
        } catch (SharedTierException e) {
            log.debug("The clock of Redis cannot be read: {}", e.getMessage());
        }
    }

    private void lookAtRole() {
        try {
            var unused = facts.lookAtRole(scriptLink.commands());
        } catch (SharedTierException e) {
            log.debug("The role of Redis cannot be read: {}", e.getMessage());
        }
    }

    /**
     * The server refuses slots which the others say it has: it has been replaced behind its name, perhaps, and the connections lead to where it was. Those are
     * healthy, so that nothing else would end them.
     */
    private void refused(Throwable failure) {
        long now = System.nanoTime();
        Long since = refusedSince;
        if (since == null) {
            refusedSince = now;
        } else if (now - since >= (Redirect.isDown(failure) ? DOWN : ASTRAY).toNanos()) {
            refusedSince = null;
            connector.reconnect();
        }
    }

    private void proven(long sentAt) {
        refusedSince = null;
        // A replica that has been promoted since its last look has another history, which is not known yet.
        if (!facts.isReplica()) {
            proof.readBack(sentAt);
        }
    }

    private CompletionStage<?> useForReads(StatefulRedisConnection<String, byte[]> connected) {
        TrackedConnection connection = new TrackedConnection(
                connected,
                readLink,
                heartbeat,
                tenants,
                connector.judge(),
                session,
                listener,
                this::flushed,
                this::proven,
                this::unproven);
        reads = new BatchedReads(connected, part != null, batchSizes);
        tracked = connection;
        every(BEAT_LOOK, connection::beat);
        return connection.beat();
    }

    private void every(Duration period, Runnable task) {
        Runnable safely = () -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                // Otherwise it would never be run again.
                log.debug("A periodic task has failed, and is run again", e);
            }
        };
        var unused = scheduler.scheduleAtFixedRate(safely, period.toMillis(), period.toMillis(), TimeUnit.MILLISECONDS);
    }
}
