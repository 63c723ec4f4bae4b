package dev.usher.redis;

import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Claiming;
import dev.usher.redis.GuardProtocol.Fill;
import dev.usher.redis.GuardProtocol.Filling;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * The shared tier: the primaries of one Redis, each of which takes the writes of its own keys. What concerns one key is asked with that key; what
 * concerns all of them, such as health, is said of all primaries. In a Cluster there are several.
 *
 * <p>Every call is answered or failed within the command timeout, unless it says that it does not wait. Thread-safe.
 */
public final class SharedTier implements AutoCloseable {

    /** How many keys are tried until one is on a primary: enough for one that has a single slot. */
    private static final int MAX_KEYS = 16 * ClusterTopology.SLOTS;

    private final SlotMap slots;

    /**
     * Not yet connected.
     *
     * @param keyPrefix what all keys begin with
     * @param node this process's name in the register of nodes
     * @param workers threads that may wait
     * @param batchSizes is told of how many reads are in each call
     * @param listener is told of changes and losses
     */
    public SharedTier(
            RedisSettings settings,
            String keyPrefix,
            String node,
            ScheduledExecutorService scheduler,
            Executor workers,
            IntConsumer batchSizes,
            RedisPrimary.Listener listener) {
        this.slots = settings.seeds().isEmpty()
                ? new OnePrimary(new RedisPrimary(settings, keyPrefix, node, scheduler, batchSizes, listener))
                : new ClusterSlots(settings, keyPrefix, node, scheduler, workers, batchSizes, listener);
    }

    /** Connects to all primaries, and waits until the connections stand or the first attempts have failed. */
    public void open() {
        slots.open();
    }

    /** Whether keys are on several primaries, as a rule. */
    public boolean isCluster() {
        return slots.isCluster();
    }

    /** The primary that takes the writes of a key. */
    public RedisPrimary primaryOf(String key) {
        return slots.primaryOf(key);
    }

    /**
     * The first of some keys that a primary has.
     *
     * @throws IllegalStateException when it has none of many, and so no slots
     */
    public String keyOn(RedisPrimary primary, IntFunction<String> keys) {
        for (int i = 0; i < MAX_KEYS; i++) {
            String key = keys.apply(i);
            if (primaryOf(key).equals(primary)) {
                return key;
            }
        }
        throw new IllegalStateException("the primary has no slots any more");
    }

    /** The slot of a key, in a Cluster. */
    public static int slotOf(String key) {
        return ClusterSlots.slotOf(key);
    }

    /** The address of that primary as {@code host:port}, or {@code null} while none is known. */
    public @Nullable String addressOf(String key) {
        return primaryOf(key).standing().address();
    }

    /** All primaries, for what is to be asked of each: a scan, a look at the server. */
    public List<RedisPrimary> primaries() {
        return slots.primaries();
    }

    /** What processes with this prefix remember, beside what is cached. */
    public Bookmarks bookmarks(String prefix) {
        return new Bookmarks(key -> primaryOf(key).scriptLink(), prefix);
    }

    // What concerns one key.

    /** The tracked session under way, or {@code null} while changes of this key go unseen. */
    public @Nullable Session session(String key) {
        return primaryOf(key).session();
    }

    /** {@link SlotMap#sessionOfReads}. */
    public @Nullable Session sessionOfReads(String key, boolean failsClosed) {
        return slots.sessionOfReads(key, failsClosed);
    }

    /** {@link RedisPrimary#sessionWithoutRedis} of this key's primary. */
    public @Nullable Session sessionWithoutRedis(String key) {
        return primaryOf(key).sessionWithoutRedis();
    }

    /** {@link SlotMap#isBelieved}. */
    public boolean isBelieved(String key, long boundNanos) {
        return slots.isBelieved(key, boundNanos);
    }

    /** {@link SlotMap#sendFence}. */
    public CompletableFuture<?> sendFence(String key) {
        return slots.sendFence(key);
    }

    /** {@link SlotMap#offer}. */
    public CompletableFuture<GuardProtocol.Offer> offer(String key, byte[] value, Duration ttl, ServerMoment readAt) {
        return slots.offer(key, value, ttl, readAt);
    }

    /** {@link SlotMap#acknowledged}. */
    public Revocations.@Nullable Acknowledged acknowledged(List<String> keys, Duration atMost) {
        return slots.acknowledged(keys, atMost);
    }

    /** {@link SlotMap#losses}. */
    public long losses() {
        return slots.losses();
    }

    /** {@link SlotMap#hasLostSince}. */
    public boolean hasLostSince(Collection<String> keys, long losses) {
        return slots.hasLostSince(keys, losses);
    }

    /** {@link SlotMap#hasMovedSince}. */
    public boolean hasMovedSince(String key, long losses) {
        return slots.hasMovedSince(key, losses);
    }

    /** {@link SlotMap#lost}. */
    public void lost(RedisPrimary primary) {
        slots.lost(primary);
    }

    /** Whether this key was revoked within the last minute. */
    public boolean wasRevokedLately(String key) {
        return register().quarantine().hasLately(key);
    }

    /** Whether this key was revoked, and its primary may have lost the fence since. */
    public boolean isUnfenced(String key) {
        return register().quarantine().isUnfenced(key);
    }

    /** The fence of this key, which may have been lost, has been announced again. */
    public void fenced(String key) {
        register().quarantine().fenced(key);
    }

    /** Whether the last call of this key's primary has failed. */
    public boolean isFailing(String key) {
        return primaryOf(key).isFailing();
    }

    /** The guard protocol, spoken with this key's primary. */
    public GuardProtocol guards(String key) {
        return primaryOf(key).guards();
    }

    /**
     * What stands under a key, over the connection whose reads are tracked.
     *
     * @param timeouts end the wait for an answer
     * @return the bytes, or {@code null} when there is nothing, or something else than a string; completed as {@link RedisLink#bounded} says
     */
    public CompletableFuture<byte @Nullable []> get(String key, Timeouts timeouts) {
        return primaryOf(key).get(key, timeouts);
    }

    /** As {@link #get} for each key, in one round trip to each primary that has any of them. In a Cluster, one key may be refused, and the others not. */
    public CompletableFuture<List<StoredValue>> getAll(List<String> keys, Timeouts timeouts) {
        return byPrimary(keys, keys, (primary, part) -> primary.getAll(part, timeouts));
    }

    /**
     * Waits for all answers together, no longer than for one; when any fails or does not come in time, the others of the same primary are withdrawn.
     *
     * @param keys the key of each command
     * @param commands that have been sent to the primaries of these keys
     */
    public <T> List<T> awaitAll(List<String> keys, List<CompletableFuture<T>> commands) throws SharedTierException {
        RedisPrimary only = onlyPrimaryOf(keys);
        if (only != null) {
            return only.guards().awaitAll(commands);
        }
        long sentAt = System.nanoTime();
        SharedTierException failure = null;
        for (Map.Entry<RedisPrimary, List<Integer>> part : partsOf(keys).entrySet()) {
            try {
                var unused = part.getKey()
                        .guards()
                        .awaitAll(part.getValue().stream().map(commands::get).toList(), sentAt);
            } catch (SharedTierException e) {
                failure = failure == null ? e : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
        return commands.stream().map(CompletableFuture::join).toList();
    }

    /** As {@link #awaitAll}, without a thread that waits; completed as {@link RedisLink#bounded} says. */
    public <T> CompletableFuture<List<T>> all(
            List<String> keys, List<CompletableFuture<T>> commands, Timeouts timeouts) {
        RedisPrimary only = onlyPrimaryOf(keys);
        if (only != null) {
            return only.guards().all(commands, timeouts);
        }
        List<CompletableFuture<List<T>>> parts = new ArrayList<>();
        partsOf(keys)
                .forEach((primary, places) -> parts.add(
                        primary.guards().all(places.stream().map(commands::get).toList(), timeouts)));
        return CompletableFuture.allOf(parts.toArray(CompletableFuture[]::new))
                .thenApply(
                        done -> commands.stream().map(CompletableFuture::join).toList());
    }

    /** {@link GuardProtocol#claim}, by the primaries of the keys. */
    public CompletableFuture<List<Claim>> claim(List<Claiming> claims, Timeouts timeouts) {
        return byPrimary(
                keysOf(claims), claims, (primary, part) -> primary.guards().claim(part, timeouts));
    }

    /** {@link GuardProtocol#fill}, by the primaries of the keys. */
    public CompletableFuture<List<Fill>> fill(List<Filling> fills, Timeouts timeouts) {
        return byPrimary(
                keysOf(fills), fills, (primary, part) -> primary.guards().fill(part, timeouts));
    }

    /**
     * Parts of a list, each of what is on one primary: one that does not answer then holds up its own part only.
     *
     * @param keyOf the key of an element
     */
    public <E> Collection<List<E>> partsOf(List<E> all, Function<E, String> keyOf) {
        if (all.size() <= 1 || !slots.isCluster()) {
            return List.of(all);
        }
        Map<RedisPrimary, List<E>> parts = new LinkedHashMap<>();
        all.forEach(one -> parts.computeIfAbsent(primaryOf(keyOf.apply(one)), primary -> new ArrayList<>())
                .add(one));
        return parts.values();
    }

    private static List<String> keysOf(List<? extends GuardProtocol.OfOneKey> requests) {
        return requests.stream().map(GuardProtocol.OfOneKey::key).toList();
    }

    /**
     * Asks each primary for its part.
     *
     * @param keys the key of each request
     * @param ask returns an answer for each of its requests
     * @return an answer for each request, in their order
     */
    private <R, T extends @Nullable Object> CompletableFuture<List<T>> byPrimary(
            List<String> keys, List<R> requests, BiFunction<RedisPrimary, List<R>, CompletableFuture<List<T>>> ask) {
        RedisPrimary only = onlyPrimaryOf(keys);
        if (only != null) {
            return ask.apply(only, requests);
        }
        List<T> answers = new ArrayList<>(Collections.nCopies(requests.size(), null));
        List<CompletableFuture<Void>> parts = new ArrayList<>();
        partsOf(keys)
                .forEach((primary, places) -> parts.add(ask.apply(
                                primary, places.stream().map(requests::get).toList())
                        .thenAccept(part -> {
                            for (int i = 0; i < places.size(); i++) {
                                answers.set(places.get(i), part.get(i));
                            }
                        })));
        return CompletableFuture.allOf(parts.toArray(CompletableFuture[]::new)).thenApply(done -> answers);
    }

    /** The primary that has all of the keys, or {@code null} when several have, or there are no keys. */
    private @Nullable RedisPrimary onlyPrimaryOf(List<String> keys) {
        RedisPrimary only = null;
        for (String key : keys) {
            RedisPrimary primary = primaryOf(key);
            if (only != null && !only.equals(primary)) {
                return null;
            }
            only = primary;
        }
        return only;
    }

    /** By primary, the places in the list of the keys that it has. */
    private Map<RedisPrimary, List<Integer>> partsOf(List<String> keys) {
        Map<RedisPrimary, List<Integer>> parts = new LinkedHashMap<>();
        for (int i = 0; i < keys.size(); i++) {
            parts.computeIfAbsent(primaryOf(keys.get(i)), primary -> new ArrayList<>())
                    .add(i);
        }
        return parts;
    }

    /** {@link RedisPrimary#inspect} of this key's primary. */
    public StoredKeys.Inspection inspect(String key) throws SharedTierException {
        return primaryOf(key).inspect(key);
    }

    /** {@link SlotMap#momentAt}. */
    public ServerMoment momentAt(long nanoTime) {
        return slots.momentAt(nanoTime);
    }

    /** The present moment, as of {@link #momentAt}. */
    public ServerMoment now() {
        return slots.momentAt(System.nanoTime());
    }

    // What concerns all primaries.

    /** The nodes that share this Redis. */
    public NodeRegister register() {
        return slots.registered().register();
    }

    /** From now on this node answers for a tenant: the nodes of another prefix. In a Cluster no mark is set: it would be in a slot of its own. */
    public void addTenant(String prefix) {
        if (!slots.isCluster()) {
            slots.registered().tenants().add(prefix);
        }
    }

    /** This node answers for a tenant no more. */
    public void removeTenant(String prefix) {
        slots.registered().tenants().remove(prefix);
    }

    /**
     * The session in which what is read of a tenant may be cached in memory, within the tracked session, or {@code null} while the tenant's register does
     * not name this node's home, and always in a Cluster. To be asked for before the read.
     */
    public @Nullable Session sessionOfTenant(String prefix) {
        return slots.isCluster() ? null : slots.registered().tenants().sessionOf(prefix);
    }

    /**
     * Whether every node that could answer for a tenant is in {@link #register()}; in a Cluster that is not known. To be asked after a fence has been confirmed.
     *
     * @param limit how long a node may answer that has been lost from a register
     * @throws SharedTierException when Redis does not say
     */
    public boolean isAlone(String prefix, Duration limit, Duration atMost) throws SharedTierException {
        return !slots.isCluster() && slots.registered().tenants().isAlone(prefix, limit, atMost);
    }

    /**
     * How long ago the moment was up to which this node has provably seen every change, or {@code null} while it does not hear of the changes on any
     * of the primaries.
     */
    public @Nullable Duration watermarkAge() {
        long now = System.nanoTime();
        long oldest = 0;
        for (RedisPrimary primary : slots.all()) {
            Session session = primary.session();
            if (session == null) {
                return null;
            }
            oldest = Math.max(oldest, session.age(now));
        }
        return Duration.ofNanos(oldest);
    }

    /**
     * When the latest write of this node was sent that a primary has taken while it was known to be the primary: the earliest moment of all primaries, in {@link
     * System#nanoTime()}; or when this began, if there has been none.
     */
    public long lastProvenAt() {
        long earliest = slots.registered().lastProvenAt();
        for (RedisPrimary primary : primaries()) {
            earliest = primary.lastProvenAt() - earliest < 0 ? primary.lastProvenAt() : earliest;
        }
        return earliest;
    }

    /** How the primary is doing that does worst. */
    public RedisState state() {
        return worst().state();
    }

    /** What is wrong with that primary, in words without any of a user, or {@code null} while it answers. */
    public @Nullable String lastError() {
        return worst().lastError();
    }

    /** What is known of the server of the primary that does worst. */
    public ServerStanding standing() {
        return worst().standing();
    }

    /** Of a Cluster, how its primaries with slots are doing, by their addresses; of one server, nothing. */
    public Map<String, RedisState> primaryStates() {
        Map<String, RedisState> states = new TreeMap<>();
        if (slots.isCluster()) {
            for (RedisPrimary primary : primaries()) {
                String address = primary.standing().address();
                if (address != null) {
                    states.put(address, primary.state());
                }
            }
        }
        return states;
    }

    private RedisPrimary worst() {
        return slots.all().stream()
                .max(Comparator.comparing(RedisPrimary::state))
                .orElseThrow();
    }

    /** Whether a primary has no way to tell of changes. */
    public boolean isResp2Only() {
        return primaries().stream().anyMatch(RedisPrimary::isResp2Only);
    }

    /** The {@code maxmemory-policy} of a primary by which it may take a guard too early, or {@code null} when none has such a policy. */
    public @Nullable String riskyEviction() {
        return firstOf(primary -> {
            Eviction eviction = primary.eviction();
            return eviction != null && eviction.takesYoungGuards() ? eviction.policy() : null;
        });
    }

    /** Why a server cannot be the shared tier, and what to name instead, in words, or {@code null} when all can. */
    public @Nullable String unfitServer() {
        return firstOf(RedisPrimary::unfitServer);
    }

    /** What the Sentinels of a primary have said last, in words, or {@code null} without Sentinels. */
    public @Nullable String sentinels() {
        return firstOf(RedisPrimary::sentinels);
    }

    /** Why a primary that has been replaced may take writes for too long, in words, or {@code null} when that is not known. */
    public @Nullable String riskyFailover() {
        return firstOf(RedisPrimary::riskyFailover);
    }

    private @Nullable String firstOf(Function<RedisPrimary, @Nullable String> said) {
        for (RedisPrimary primary : primaries()) {
            String text = said.apply(primary);
            if (text != null) {
                return text;
            }
        }
        return null;
    }

    /** How many callers wait for a read, about. */
    public int waitingForReads() {
        return primaries().stream().mapToInt(RedisPrimary::waitingForReads).sum();
    }

    /** Ends the sessions for good: from now on nothing that was read is answered again. */
    public void endSessions() {
        slots.all().forEach(RedisPrimary::endSessions);
    }

    @Override
    public void close() {
        slots.close();
    }
}
