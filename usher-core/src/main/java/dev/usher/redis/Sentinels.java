package dev.usher.redis;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All Sentinels of a primary. A server is believed to be the primary while a majority of them name it: two majorities have a Sentinel in common, so
 * no node believes the old primary once another has adopted the new one.
 *
 * <p>How many there are is the greatest number that any of them knows of, and at least as many as the settings name. Those that the settings do not name
 * are learned from the others, and reached with the account and the TLS of the first.
 *
 * <p>Thread-safe; no thread waits.
 */
final class Sentinels {

    private static final Logger log = LoggerFactory.getLogger(Sentinels.class);

    private final String name;
    private final RedisURI like;
    private final Set<ServerAddress> configured = new HashSet<>();
    private final RedisClient client;
    private final ScheduledExecutorService scheduler;
    private final Duration timeout;
    private final Consumer<ServerAddress> moved;
    private final Map<ServerAddress, SentinelLink> links = new ConcurrentHashMap<>();
    private final SentinelLink.Listener listener = new SentinelLink.Listener() {
        @Override
        public void introduced(SentinelLink link) {
            learn();
        }

        @Override
        public void switched() {
            var unused = primary();
        }
    };

    /** By the id of a Sentinel, the replicas that it has said last that it knows: one that is silent may still know them. */
    private final Map<String, Set<ServerAddress>> replicasKnown = new HashMap<>();

    private final AtomicLong polls = new AtomicLong();

    private volatile @Nullable ServerAddress latest;
    private long latestPoll;
    private volatile String said = "none has answered yet";
    private volatile boolean closed;

    /**
     * Not yet connected.
     *
     * @param uri the name of the primary, and its Sentinels
     * @param client opens the connections, and is closed by the caller
     * @param timeout how long an answer is waited for
     * @param moved is told when a majority names another primary than before
     */
    Sentinels(
            RedisURI uri,
            RedisClient client,
            ScheduledExecutorService scheduler,
            Duration timeout,
            Consumer<ServerAddress> moved) {
        this.name = uri.getSentinelMasterId();
        this.like = uri.getSentinels().get(0);
        this.client = client;
        this.scheduler = scheduler;
        this.timeout = timeout;
        this.moved = moved;
        uri.getSentinels().forEach(sentinel -> {
            SentinelLink link = add(sentinel);
            configured.add(link.address());
        });
    }

    private SentinelLink add(RedisURI uri) {
        SentinelLink link = new SentinelLink(uri, name, client, scheduler, listener);
        links.put(link.address(), link);
        return link;
    }

    /** Begins to connect. */
    void open() {
        links.values().forEach(SentinelLink::connect);
    }

    /** Whether a connection leads to a Sentinel, and not to Redis. */
    boolean isSentinel(@Nullable SocketAddress address) {
        ServerAddress server = ServerAddress.of(address);
        return server != null && links.containsKey(server);
    }

    /** Asks all of them again who there is; to be called now and then. */
    void refresh() {
        links.values().forEach(SentinelLink::introduce);
    }

    /** Adds the Sentinels that the others know, and drops those that were learned and that none of them knows any more. */
    private synchronized void learn() {
        if (closed) {
            return;
        }
        Set<String> ids = new HashSet<>();
        Map<String, ServerAddress> others = new HashMap<>();
        for (SentinelLink link : links.values()) {
            SentinelLink.Introduction known = link.introduction();
            if (known != null) {
                ids.add(known.id());
                Set<ServerAddress> replicas = known.replicas();
                if (replicas != null) {
                    replicasKnown.put(known.id(), replicas);
                }
                known.others().forEach(other -> others.put(other.id(), other.address()));
            }
        }
        Set<ServerAddress> known = new HashSet<>(others.values());
        links.values().removeIf(link -> {
            boolean isGone = !configured.contains(link.address()) && !known.contains(link.address());
            if (isGone) {
                link.close();
            }
            return isGone;
        });
        others.forEach((id, address) -> {
            if (!ids.contains(id) && !links.containsKey(address)) {
                RedisURI uri = RedisUris.copyOf(like);
                uri.setHost(address.host());
                uri.setPort(address.port());
                add(uri).connect();
            }
        });
    }

    /** How many Sentinels there are: of these, a majority has to name the primary. */
    private int voters() {
        Set<String> named = new HashSet<>();
        int voters = 0;
        for (SentinelLink link : links.values()) {
            SentinelLink.Introduction known = link.introduction();
            voters = known == null ? voters : Math.max(voters, known.voters());
            if (configured.contains(link.address())) {
                named.add(link.identity());
            }
        }
        return Math.max(voters, named.size());
    }

    /**
     * Asks all Sentinels for the primary.
     *
     * @return the server that a majority has named after this call, or a {@link NoMajorityException}. It waits no longer than the timeout, except for
     *     the first attempt to connect
     */
    CompletableFuture<ServerAddress> primary() {
        Poll poll = new Poll();
        poll.ask(List.copyOf(links.values()));
        return poll.result;
    }

    /** One question to all of them. */
    private final class Poll {

        private final long number = polls.incrementAndGet();
        private final CompletableFuture<ServerAddress> result = new CompletableFuture<>();
        private final Set<SentinelLink> asked = new HashSet<>();
        private final Map<String, ServerAddress> votes = new HashMap<>();
        private int outstanding;

        private void ask(Collection<SentinelLink> all) {
            List<SentinelLink> next;
            synchronized (this) {
                next = all.stream().filter(asked::add).toList();
                outstanding += next.size();
            }
            for (SentinelLink link : next) {
                var unused = link.named(timeout).whenComplete((address, failure) -> answered(link, address));
            }
        }

        private void answered(SentinelLink link, @Nullable ServerAddress address) {
            ServerAddress elected;
            boolean isLast;
            synchronized (this) {
                if (address != null) {
                    votes.put(link.identity(), address);
                }
                outstanding--;
                isLast = outstanding == 0;
                elected = elected();
                if (elected != null && (isLast || !elected.equals(latest))) {
                    said = counts().get(elected) + " of " + voters() + " name " + elected + problems();
                }
            }
            if (elected != null) {
                if (!result.isDone()) {
                    result.complete(found(number, elected));
                }
            } else if (isLast) {
                askThoseLearnedSince();
            }
        }

        private @Nullable ServerAddress elected() {
            return Sentinels.elected(counts(), voters());
        }

        private Map<ServerAddress, Integer> counts() {
            return countsOf(votes);
        }

        private void askThoseLearnedSince() {
            ask(List.copyOf(links.values()));
            String text;
            synchronized (this) {
                if (outstanding > 0 || result.isDone()) {
                    return;
                }
                List<String> each = new ArrayList<>();
                counts().forEach((address, count) -> each.add(count + " of " + voters() + " name " + address));
                text = (each.isEmpty() ? "none of " + voters() + " names one" : String.join(", ", each)) + problems();
            }
            said = text;
            result.completeExceptionally(
                    new NoMajorityException("no majority of its Sentinels names a primary: " + text));
        }

        /** Called with the lock held. */
        private String problems() {
            StringBuilder text = new StringBuilder();
            for (SentinelLink link : asked) {
                String problem = link.problem();
                if (problem != null) {
                    text.append("; ").append(link.address()).append(' ').append(problem);
                }
            }
            return text.toString();
        }
    }

    /**
     * Notes what a poll has found, unless one that has begun later has found something already.
     *
     * @return what the latest poll has found: it has begun after this one, or is this one
     */
    private ServerAddress found(long poll, ServerAddress elected) {
        ServerAddress before;
        synchronized (this) {
            before = latest;
            if (before != null && poll < latestPoll) {
                return before;
            }
            latestPoll = poll;
            latest = elected;
        }
        if (!elected.equals(before)) {
            if (before != null) {
                log.info(
                        "A majority of the Sentinels of {} names {} as the primary, and no longer {}",
                        name,
                        elected,
                        before);
            }
            moved.accept(elected);
        }
        return elected;
    }

    private static Map<ServerAddress, Integer> countsOf(Map<String, ServerAddress> votes) {
        Map<ServerAddress, Integer> counts = new TreeMap<>(Comparator.comparing(ServerAddress::toString));
        votes.values().forEach(address -> counts.merge(address, 1, Integer::sum));
        return counts;
    }

    /** The server that has more than half of the votes, or {@code null} when none has. */
    private static @Nullable ServerAddress elected(Map<ServerAddress, Integer> counts, int voters) {
        for (Map.Entry<ServerAddress, Integer> each : counts.entrySet()) {
            if (each.getValue() * 2 > voters) {
                return each.getKey();
            }
        }
        return null;
    }

    /**
     * The primary, and all servers that could take its place.
     *
     * @param primary the server that a majority has named, or {@code null} when none was named by one
     * @param candidates what the Sentinels know of its replicas
     */
    record Census(@Nullable ServerAddress primary, Candidates candidates) {}

    /**
     * Asks all Sentinels for the primary, and for the replicas that they know: any of these may be promoted, by any Sentinel. So each Sentinel has to have said
     * which it knows, if not now, then when it answered last.
     *
     * @return never failed, and complete within the timeout
     */
    CompletableFuture<Census> census() {
        List<CompletableFuture<Optional<SentinelLink.View>>> views = links.values().stream()
                .map(link -> link.view(timeout).thenApply(Optional::of).exceptionally(failure -> Optional.empty()))
                .toList();
        return CompletableFuture.allOf(views.toArray(CompletableFuture[]::new))
                .thenApply(done -> censusOf(
                        views.stream().flatMap(view -> view.join().stream()).toList()));
    }

    private synchronized Census censusOf(List<SentinelLink.View> views) {
        Map<String, ServerAddress> votes = new HashMap<>();
        for (SentinelLink.View view : views) {
            votes.put(view.id(), view.primary());
            replicasKnown.put(view.id(), view.replicas());
        }
        Map<String, ServerAddress> all = members();
        replicasKnown.keySet().removeIf(id -> !all.containsKey(id) && !votes.containsKey(id));
        int voters = voters();
        ServerAddress primary = elected(countsOf(votes), voters);
        if (primary == null) {
            return new Census(
                    null, Candidates.unknown("no majority of the " + voters + " Sentinels has named a primary"));
        }
        Set<ServerAddress> replicas =
                replicasKnown.values().stream().flatMap(Set::stream).collect(Collectors.toUnmodifiableSet());
        all.keySet().removeAll(replicasKnown.keySet());
        if (all.isEmpty() && replicasKnown.size() >= voters) {
            return new Census(primary, new Candidates(replicas, null));
        }
        String which = all.isEmpty()
                ? "one of them"
                : String.join(
                        ", ",
                        all.values().stream()
                                .map(ServerAddress::toString)
                                .sorted()
                                .toList());
        return new Census(
                primary,
                new Candidates(
                        replicas,
                        "of the " + voters + " Sentinels, this node has not heard yet which replicas are known to "
                                + which + ": start it, or, when it is gone for good, SENTINEL RESET " + name
                                + " on the others"));
    }

    /** All Sentinels that say who they are, or that others name, by their ids. */
    private Map<String, ServerAddress> members() {
        Map<String, ServerAddress> members = new HashMap<>();
        for (SentinelLink link : links.values()) {
            SentinelLink.Introduction known = link.introduction();
            if (known != null) {
                known.others().forEach(other -> members.putIfAbsent(other.id(), other.address()));
                members.put(known.id(), link.address());
            }
        }
        return members;
    }

    /** What they have said last, in words: the server that is named by how many, and which of them do not answer. */
    String said() {
        return said;
    }

    /** After which silence they give the primary up, or {@code null} while that is not known. */
    @Nullable Duration downAfter() {
        Duration shortest = null;
        for (SentinelLink link : links.values()) {
            SentinelLink.Introduction known = link.introduction();
            Duration each = known == null ? null : known.downAfter();
            if (each != null && (shortest == null || each.compareTo(shortest) < 0)) {
                shortest = each;
            }
        }
        return shortest;
    }

    /** Makes no connection any more; the client, which is closed next, ends those that there are. */
    synchronized void close() {
        closed = true;
        links.values().forEach(SentinelLink::stop);
    }
}
