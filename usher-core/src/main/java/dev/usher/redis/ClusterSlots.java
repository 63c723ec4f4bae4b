package dev.usher.redis;

import dev.usher.redis.ClusterTopology.Node;
import dev.usher.redis.GuardProtocol.Offer;
import dev.usher.redis.Revocations.Acknowledged;
import io.lettuce.core.cluster.SlotHash;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The primaries of a Cluster, and which slots each has. All primaries are asked for that together, now and then, and as soon as a key is not where it was:
 * of two that claim a slot, the one with the greater epoch has it. That is for finding keys only: whether what a primary says is true, it proves by its
 * {@linkplain SlotHeartbeat heartbeats}.
 *
 * <p>The register of nodes has connections of its own, which follow its slot from primary to primary.
 *
 * <p>When a slot comes to another primary, in whatever way, that one may be without the fences of the last moments: the recent ones are sent again, for a
 * while facets that fail closed are read from the source, and rows that were read before are not stored. Thread-safe.
 */
final class ClusterSlots implements SlotMap {

    private static final Logger log = LoggerFactory.getLogger(ClusterSlots.class);

    /** How often the primaries are asked while all are well; that is shorter than suspicion while one is not, which may be replaced. */
    private static final Duration LOOK = Duration.ofSeconds(5);

    private static final Duration UNSETTLED_LOOK = Duration.ofMillis(500);

    /** How soon they are asked where a key was not where it should be; twice as late each time that nothing was new. */
    private static final Duration PAUSE = Duration.ofMillis(50);

    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(1);

    /** {@code cluster-node-timeout} of a server that does not say. */
    private static final Duration NODE_TIMEOUT = Duration.ofSeconds(15);

    /** After its node timeout, a primary that is cut off may go on taking writes for so long. */
    private static final Duration BEYOND_TIMEOUT = Duration.ofMillis(500);

    /** Of marks of these primaries, of no server yet: their milliseconds are of {@link System#nanoTime()}. */
    private final Object anyServer = new Object();

    private static final long NANOS = Duration.ofMillis(1).toNanos();

    private final ClusterConnections connections;
    private final ScheduledExecutorService scheduler;
    private final Executor workers;
    private final RedisPrimary.Listener listener;
    private final Duration suspicion;
    private final int registerSlot;
    private final RegisterPart registerPart;
    private final RedisPrimary registered;
    private final ClusterFences fences = new ClusterFences(this);
    private final AtomicBoolean awaited = new AtomicBoolean();
    private final AtomicReference<@Nullable CompletableFuture<Void>> asking = new AtomicReference<>();
    private volatile long askedAt = System.nanoTime() - LOOK.toNanos();
    private volatile long pauseNanos = PAUSE.toNanos();
    private volatile boolean isUnanswered;
    private volatile State state = State.NONE;

    // Changed under the lock of this, read without.

    /** When a slot came to its primary from another one, in {@link System#nanoTime()}; zero for one that has not. */
    private final long[] movedAt = new long[ClusterTopology.SLOTS];

    /** The same, and when its first primary was known, which may have had it for a moment; zero while it has none. */
    private final long[] takenAt = new long[ClusterTopology.SLOTS];

    private volatile Duration longestTimeout = Duration.ZERO;

    private volatile long losses;
    private final long[] lostAt = new long[ClusterTopology.SLOTS];
    private volatile long registerLostAt;
    private boolean closed;

    /**
     * What is known.
     *
     * @param bySlot the primary of each slot, or {@code null}
     * @param members by the id of the server
     * @param withSlots the primaries of slots
     */
    @SuppressWarnings("ArrayRecordComponent")
    private record State(
            ClusterTopology topology,
            @Nullable ClusterMember[] bySlot,
            Map<String, ClusterMember> members,
            List<RedisPrimary> withSlots) {

        private static final State NONE = new State(
                ClusterTopology.NONE, new @Nullable ClusterMember[ClusterTopology.SLOTS], Map.of(), List.of());

        /** Whether a slot would come to a server with a smaller epoch than that of the one that has it. */
        private boolean isNewerThan(@Nullable Node[] owners) {
            for (int slot = 0; slot < owners.length; slot++) {
                Node owner = owners[slot];
                ClusterMember member = bySlot[slot];
                Node known = member == null ? null : topology.nodes().get(member.id());
                if (owner != null && known != null && !known.id().equals(owner.id()) && owner.epoch() < known.epoch()) {
                    return true;
                }
            }
            return false;
        }
    }

    /**
     * Not yet connected.
     *
     * @param settings with the servers that are asked first
     * @param workers threads that may wait
     */
    ClusterSlots(
            RedisSettings settings,
            String keyPrefix,
            String node,
            ScheduledExecutorService scheduler,
            Executor workers,
            IntConsumer batchSizes,
            RedisPrimary.Listener listener) {
        this.scheduler = scheduler;
        this.workers = workers;
        this.listener = listener;
        this.suspicion = settings.times().suspicion();
        this.registerSlot = SlotHash.getSlot(RegisterScripts.keyOf(keyPrefix));
        this.registerPart = new RegisterPart();
        this.connections = new ClusterConnections(settings, keyPrefix, node, scheduler, batchSizes, listener);
        try {
            this.registered = connections.primary(scheduler, registerPart, true);
        } catch (Throwable e) {
            Closing.after(e, connections::close);
            throw e;
        }
    }

    @Override
    public void open() {
        try {
            ask().thenCompose(done -> {
                        List<CompletableFuture<?>> all = new ArrayList<>();
                        all.add(registered.connect());
                        state.members.values().forEach(member -> all.add(member.connected()));
                        return CompletableFuture.allOf(all.toArray(CompletableFuture[]::new));
                    })
                    .get(PrimaryConnector.CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Exception e) {
            registered.connectFailed(e);
        }
        registered.begin();
        var unused = scheduler.scheduleWithFixedDelay(
                this::askIfDue, PAUSE.toMillis(), PAUSE.toMillis(), TimeUnit.MILLISECONDS);
    }

    // What is where.

    static int slotOf(String key) {
        return SlotHash.getSlot(key);
    }

    private @Nullable ClusterMember memberOf(String key) {
        return state.bySlot[slotOf(key)];
    }

    @Override
    public RedisPrimary primaryOf(String key) {
        ClusterMember member = memberOf(key);
        return member == null ? registered : member.primary();
    }

    @Override
    public List<RedisPrimary> primaries() {
        List<RedisPrimary> known = state.withSlots;
        return known.isEmpty() ? List.of(registered) : known;
    }

    @Override
    public RedisPrimary registered() {
        return registered;
    }

    @Override
    public List<RedisPrimary> all() {
        List<RedisPrimary> all = new ArrayList<>(state.withSlots);
        all.add(registered);
        return all;
    }

    @Override
    public boolean isCluster() {
        return true;
    }

    /** The primary at an address, or {@code null}. */
    @Nullable RedisPrimary primaryAt(ServerAddress address) {
        return state.members.values().stream()
                .filter(member -> isAt(member, address))
                .map(ClusterMember::primary)
                .findFirst()
                .orElse(null);
    }

    private boolean isAt(ClusterMember member, ServerAddress address) {
        Node node = state.topology.nodes().get(member.id());
        return member.address().equals(address) || (node != null && node.isAt(address));
    }

    @Override
    public @Nullable Session sessionOfReads(String key, boolean failsClosed) {
        int slot = slotOf(key);
        ClusterMember member = state.bySlot[slot];
        if (member == null) {
            return null;
        }
        Session session = member.primary().sessionOfReads();
        if (session == null || !session.isTracked()) {
            return session;
        }
        if (!member.primary().covers(slot)) {
            return null; // the next look at its slots says whether it has this one
        }
        if (!failsClosed || Rule.REGISTER_BOUND.isOut()) {
            return session;
        }
        Session ofRegister = registered.session();
        return ofRegister == null ? null : member.within(session, ofRegister);
    }

    @Override
    public boolean isBelieved(String key, long boundNanos) {
        int slot = slotOf(key);
        ClusterMember member = state.bySlot[slot];
        long moved = movedAt[slot];
        return member != null
                && (moved == 0 || System.nanoTime() - moved >= suspicion.toNanos() || Rule.MOVED_SUSPECT.isOut())
                && member.primary().isBelieved(key, boundNanos)
                && registered.isProven(boundNanos);
    }

    @Override
    public CompletableFuture<?> sendFence(String key) {
        return fences.send(key);
    }

    @Override
    public ServerMoment momentAt(long nanoTime) {
        return new ServerMoment(anyServer, Math.floorDiv(nanoTime, NANOS));
    }

    @Override
    @SuppressWarnings("ReferenceEquality") // a server is told apart by identity
    public CompletableFuture<Offer> offer(String key, byte[] value, Duration ttl, ServerMoment readAt) {
        int slot = slotOf(key);
        ClusterMember member = state.bySlot[slot];
        if (member == null || readAt.server() != anyServer) {
            return CompletableFuture.completedFuture(Offer.REFUSED);
        }
        long nanoTime = readAt.leastMillis() * NANOS;
        GuardProtocol guards = member.primary().guards();
        ServerMoment moment = guards.momentAt(nanoTime);
        long moved = movedAt[slot]; // after the primary: what it lacks came before
        return moved != 0 && nanoTime - moved <= 0
                ? CompletableFuture.completedFuture(Offer.REFUSED)
                : guards.offer(key, value, ttl, moment);
    }

    @Override
    public Acknowledged acknowledged(List<String> keys, Duration atMost) {
        Set<RedisPrimary> primaries = new LinkedHashSet<>();
        keys.forEach(key -> {
            primaries.add(primaryOf(key));
            primaries.addAll(fences.elsewhere(key)); // while its slot is moved
        });
        List<Supplier<Acknowledged>> calls = new ArrayList<>();
        primaries.forEach(primary -> calls.add(() -> primary.acknowledgeAll(atMost)));
        Acknowledged known = SideBySide.all(calls, workers).stream()
                .reduce(Acknowledged::and)
                .orElseThrow(() -> new IllegalArgumentException("no keys"));
        String isTooNew = takenLately(keys);
        return isTooNew == null ? known : known.and(new Acknowledged(known.replicas(), true, isTooNew));
    }

    /**
     * Whether the primary before may still be believed, of the register or of a key, in words, or {@code null}: nodes that reach that one alone answer for
     * their bound beyond the moment at which it stops taking writes.
     */
    private @Nullable String takenLately(List<String> keys) {
        Duration needed = registered.register().limits().longest().plus(lag());
        long now = System.nanoTime();
        boolean isLate = isTakenWithin(registerSlot, needed, now)
                || keys.stream().anyMatch(key -> isTakenWithin(slotOf(key), needed, now));
        return isLate && !Rule.LAG.isOut()
                ? "the primary has had the slot for less than " + needed.toMillis()
                        + " ms, as far as this node knows: the one before may be believed for so long (cluster-node-timeout and a bound)"
                : null;
    }

    private boolean isTakenWithin(int slot, Duration time, long now) {
        long taken = takenAt[slot];
        return taken == 0 ? !suspicion.isZero() : now - taken < time.toNanos();
    }

    /** {@link ClusterPart#lag}. */
    Duration lag() {
        Duration longest = longestTimeout;
        for (RedisPrimary primary : state.withSlots) {
            Duration theirs = primary.nodeTimeout();
            longest = AnswerLimits.longer(longest, theirs == null ? NODE_TIMEOUT : theirs);
            if (theirs != null && theirs.compareTo(longestTimeout) > 0) {
                longestTimeout = theirs; // for those that it was true of, and that are gone
            }
        }
        return longest.plus(BEYOND_TIMEOUT);
    }

    // What may have been lost.

    @Override
    public long losses() {
        return losses;
    }

    @Override
    public boolean hasLostSince(Collection<String> keys, long before) {
        return losses != before
                && (registerLostAt > before || keys.stream().anyMatch(key -> lostAt[slotOf(key)] > before));
    }

    @Override
    public boolean hasMovedSince(String key, long before) {
        return losses != before && lostAt[slotOf(key)] > before && !Rule.MOVED_UNDER_WAY.isOut();
    }

    @Override
    public synchronized void lost(RedisPrimary primary) {
        long now = losses + 1;
        if (primary.equals(registered)) {
            registerLostAt = now;
        }
        @Nullable ClusterMember[] bySlot = state.bySlot;
        for (int slot = 0; slot < bySlot.length; slot++) {
            ClusterMember member = bySlot[slot];
            if (member != null && member.primary().equals(primary)) {
                lostAt[slot] = now;
            }
        }
        losses = now; // last: a reader that sees it sees the others
        changed();
    }

    // Where the slots are.

    /** A key was not where it was asked for: the primaries are asked soon. */
    void changed() {
        awaited.set(true);
    }

    private void askIfDue() {
        long since = System.nanoTime() - askedAt;
        if (since > LOOK.toNanos()
                || (since > UNSETTLED_LOOK.toNanos() && isUnsettled())
                || (since > pauseNanos && awaited.get())) {
            var unused = ask();
        }
    }

    /** Whether a primary with slots may have been replaced. */
    private boolean isUnsettled() {
        return isUnanswered || !state.withSlots.stream().allMatch(RedisPrimary::isSettled);
    }

    /**
     * Asks the primaries where the slots are; where none answers, all servers that have ever been named. Those that ask meanwhile get the same answer: it cannot
     * come after a later one. Never failed.
     */
    CompletableFuture<Void> ask() {
        CompletableFuture<Void> mine = new CompletableFuture<>();
        CompletableFuture<Void> other = asking.compareAndExchange(null, mine);
        if (other != null) {
            return other;
        }
        long now = System.nanoTime();
        if (now - askedAt > LOOK.toNanos()) {
            pauseNanos = PAUSE.toNanos();
        }
        askedAt = now;
        int known = state.withSlots.size();
        boolean wasAwaited = awaited.getAndSet(false);
        var unused = saidAtLast().whenComplete((said, failure) -> {
            boolean isNew = false;
            try {
                isUnanswered = failure != null || said.isEmpty();
                isNew = !isUnanswered && apply(ClusterTopology.of(said), 2 * said.size() <= known);
            } catch (RuntimeException e) {
                log.debug("The slots of the Cluster could not be taken over", e);
            } finally {
                if (isNew) {
                    pauseNanos = PAUSE.toNanos();
                } else if (wasAwaited) {
                    pauseNanos = Math.min(2 * pauseNanos, LONGEST_PAUSE.toNanos());
                }
                asking.set(null);
                mine.complete(null);
            }
        });
        return mine;
    }

    private CompletableFuture<List<ClusterTopology>> saidAtLast() {
        try {
            return said().thenCompose(said ->
                    said.isEmpty() ? connections.askAnew(addresses()) : CompletableFuture.completedFuture(said));
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e); // it is closed
        }
    }

    /** What the primaries say that answer, and have slots. */
    private CompletableFuture<List<ClusterTopology>> said() {
        List<CompletableFuture<@Nullable ClusterTopology>> asked = new ArrayList<>();
        for (ClusterMember member : state.members.values()) {
            CompletableFuture<ClusterTopology> answer = member.primary().askCluster(member.address());
            asked.add(Deadline.of(answer, UNSETTLED_LOOK, scheduler)
                    .handle((said, failure) -> failure == null && isSaidBy(member, said) ? said : null));
        }
        return CompletableFuture.allOf(asked.toArray(CompletableFuture[]::new))
                .thenApply(done -> asked.stream()
                        .map(CompletableFuture::join)
                        .filter(Objects::nonNull)
                        .toList());
    }

    /** Whether an answer is that of a member, and not of another server that has come to its address; and whether it speaks for the Cluster. */
    private static boolean isSaidBy(ClusterMember member, ClusterTopology said) {
        Node own = said.own();
        return own != null && own.id().equals(member.id()) && said.isOfPrimary();
    }

    private Set<ServerAddress> addresses() {
        Set<ServerAddress> addresses = new HashSet<>();
        state.topology.nodes().values().forEach(node -> addresses.add(node.address()));
        return addresses;
    }

    /**
     * Takes over what was said.
     *
     * @param isOfFew whether no majority has said so: a few that are cut off may not have heard of what the others have agreed on
     * @return whether something is new
     */
    private boolean apply(ClusterTopology topology, boolean isOfFew) {
        List<ClusterMember> gone = new ArrayList<>();
        boolean isRegisterElsewhere;
        boolean isNew;
        synchronized (this) {
            @Nullable Node[] owners = topology.owners();
            if (closed || Arrays.stream(owners).allMatch(Objects::isNull)) {
                return false;
            }
            State before = state;
            if (isOfFew && before.isNewerThan(owners)) {
                return false;
            }
            var unused = lag(); // of those that may be gone
            Map<String, ClusterMember> members = new HashMap<>();
            for (Node node : topology.primaries()) {
                ClusterMember known = before.members.get(node.id());
                ClusterMember member =
                        known != null && known.address().equals(node.address()) ? known : memberFor(node);
                member.has(node.slots());
                members.put(node.id(), member);
            }
            before.members.values().forEach(member -> {
                if (!member.equals(members.get(member.id()))) {
                    gone.add(member);
                }
            });
            @Nullable ClusterMember[] bySlot = new @Nullable ClusterMember[ClusterTopology.SLOTS];
            BitSet moved = new BitSet();
            Set<RedisPrimary> replaced = new HashSet<>();
            Set<RedisPrimary> withSlots = new LinkedHashSet<>();
            for (int slot = 0; slot < bySlot.length; slot++) {
                Node owner = owners[slot];
                ClusterMember was = before.bySlot[slot];
                // A slot that none has is asked of the last that had it.
                bySlot[slot] = owner != null ? members.get(owner.id()) : was == null || gone.contains(was) ? null : was;
                ClusterMember is = bySlot[slot];
                if (is != null) {
                    withSlots.add(is.primary());
                }
                if (was != null && !was.equals(is)) {
                    moved.set(slot);
                    replaced.add(was.primary());
                } else if (was == null && is != null && !suspicion.isZero()) {
                    takenAt[slot] = nowNotZero();
                }
            }
            noteMoved(moved);
            isNew = !moved.isEmpty() || !members.equals(before.members);
            state = new State(topology, bySlot, Map.copyOf(members), List.copyOf(withSlots));
            noteMoved(moved); // of fences that were sent in between to where the keys had been
            if (!Rule.MAP_ENDS_SESSION.isOut()) {
                // One that is cut off goes on with its heartbeats, and does not know yet.
                replaced.forEach(RedisPrimary::endReads);
            }
            fences.sweep(members.values().stream().map(ClusterMember::primary).collect(Collectors.toSet()));
            isRegisterElsewhere = registerPart.set(owners[registerSlot]);
        }
        if (isRegisterElsewhere) {
            registered.leadTo();
        }
        gone.forEach(connections::close);
        return isNew;
    }

    private static long nowNotZero() {
        long now = System.nanoTime();
        return now == 0 ? 1 : now;
    }

    private ClusterMember memberFor(Node node) {
        ClusterMember member = new ClusterMember(node.id(), node.address(), this, connections);
        member.connect();
        return member;
    }

    /** A primary has been seen without slots: they may be back before the others are asked. */
    synchronized void noteLost(BitSet slots) {
        noteMoved(slots);
    }

    /** Before the slots are asked of their new primaries: what those may lack is then known to be missing. */
    private void noteMoved(BitSet moved) {
        if (moved.isEmpty()) {
            return;
        }
        fences.moved(moved);
        long now = nowNotZero();
        long loss = losses + 1;
        moved.stream().forEach(slot -> {
            movedAt[slot] = now;
            takenAt[slot] = now;
            lostAt[slot] = loss;
        });
        if (moved.get(registerSlot)) {
            registerLostAt = loss;
        }
        losses = loss;
        if (!Rule.MOVED_AGAIN.isOut()) {
            registered.register().quarantine().fencesLost();
            listener.moved(key -> moved.get(slotOf(key)));
        }
        log.debug("{} slots are on other primaries than before", moved.cardinality());
    }

    /** {@link ClusterPart#candidates} of a server. */
    CompletionStage<Candidates> candidatesOf(@Nullable String id) {
        if (id == null) {
            return CompletableFuture.completedStage(Candidates.unknown("no primary is known"));
        }
        int all = state.withSlots.size();
        return said().thenApply(said -> {
            Map<ServerAddress, ServerAddress> replicas = new HashMap<>();
            int yes = 0;
            for (ClusterTopology one : said) {
                if (one.isPrimary(id)) {
                    yes++;
                }
                replicas.putAll(one.replicasOf(id));
            }
            return 2 * yes > all
                    ? new Candidates(Set.copyOf(replicas.keySet()), replicas, null)
                    : Candidates.unknown(
                            "no majority of the Cluster's primaries says that this one still is a primary (" + yes
                                    + " of " + all + ")");
        });
    }

    /** Where the register is. */
    private final class RegisterPart implements ClusterPart {

        private volatile @Nullable Node owner;

        /** Returns whether it is another server than before. */
        private boolean set(@Nullable Node now) {
            Node before = owner;
            if (now != null) {
                owner = now;
            }
            return now != null
                    && (before == null
                            || !before.id().equals(now.id())
                            || !before.address().equals(now.address()));
        }

        @Override
        public @Nullable ServerAddress address() {
            Node known = owner;
            return known == null ? null : known.address();
        }

        @Override
        public CompletionStage<Candidates> candidates() {
            return candidatesOf(id());
        }

        @Override
        public BitSet slots() {
            Node known = owner;
            return known == null ? new BitSet() : known.slots();
        }

        @Override
        public String id() {
            Node known = owner;
            return known == null ? "" : known.id();
        }

        @Override
        public void changed() {
            ClusterSlots.this.changed();
        }

        @Override
        public void lost(BitSet slots) {}

        @Override
        public Duration lag() {
            return ClusterSlots.this.lag();
        }

        @Override
        public NodeRegister register() {
            return registered.register();
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        Closing closing = new Closing();
        state.members.values().forEach(member -> closing.step(member::close));
        closing.step(registered::close).step(connections::close).end();
    }
}
