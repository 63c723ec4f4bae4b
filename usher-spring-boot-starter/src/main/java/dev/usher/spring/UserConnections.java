package dev.usher.spring;

import static java.util.Objects.requireNonNull;

import dev.usher.Lookup;
import dev.usher.RevokedUsers;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The connections that are open for users on this node. When a user is revoked and may not act any more, they are ended, before the
 * node confirms the revocation.
 *
 * <p>usher registers the sessions of Spring's WebSocket handlers, STOMP included, and asynchronous requests, such as streams of
 * server-sent events. An application registers others:
 *
 * <pre>{@code
 * Registration open = connections.add(userId, () -> session.close());
 * ...
 * open.close(); // when the session ends by itself
 * }</pre>
 *
 * <p>Thread-safe.
 *
 * @param <K> the type of a user's id
 */
public final class UserConnections<K> {

    /** How many users a cache is asked for at a time. */
    private static final int MAX_TOGETHER = 500;

    /** For which part of the patience the statuses of revoked users are waited for, so that some is left to end something. */
    private static final int JUDGEMENT = 2;

    private static final Duration RETRY = Duration.ofSeconds(1);

    private final UserStatusCache<K> statuses;
    private final EndingThreads threads;
    private final ConcurrentMap<K, Set<Connection>> open = new ConcurrentHashMap<>();
    private final AtomicLong revocations = new AtomicLong();

    /** Users of whom any may have been revoked, and whose statuses are not known yet. */
    private final Set<K> undecided = ConcurrentHashMap.newKeySet();

    private final AtomicBoolean retrying = new AtomicBoolean();

    UserConnections(UserStatusCache<K> statuses, EndingThreads threads) {
        this.statuses = statuses;
        this.threads = threads;
    }

    /** Something that is registered as open. */
    public interface Registration extends AutoCloseable {

        /** Forgets it: it has ended by itself. Closing it again, or after it was ended, does nothing. */
        @Override
        void close();
    }

    /**
     * Registers a connection of a user. If the user may not act, or the status is unavailable, it is ended at once.
     *
     * @param id of the user
     * @param end ends it; called once at most, on a thread of usher's own. An exception is logged
     */
    public Registration add(K id, Runnable end) {
        requireNonNull(end, "how it is ended");
        return addChecked(id, why -> end.run());
    }

    /** As {@link #add}, of what is ended in a way of its own. */
    Registration addChecked(K id, Ending ending) {
        Connection connection = register(id, ending);
        check(connection);
        return connection;
    }

    /** Registers what a request that has passed the gate has opened. Without a revocation since, it is not checked again. */
    Registration addPassed(Passage<K> passage, Ending ending) {
        Connection connection = register(passage.id(), ending);
        // Read after registering: a later revocation finds the connection.
        if (revocations.get() != passage.revocations()) {
            check(connection);
        }
        return connection;
    }

    private Connection register(K id, Ending ending) {
        Connection connection = new Connection(requireNonNull(id, "the id"), ending);
        open.compute(id, (same, others) -> {
            Set<Connection> connections = others == null ? new HashSet<>(2) : others;
            connections.add(connection);
            return connections;
        });
        return connection;
    }

    private void check(Connection connection) {
        try {
            if (!statuses.isEnabled(connection.id)) {
                CompletableFuture<Void> unused = connection.end(Refusal.ACCOUNT_DISABLED);
            }
        } catch (UserUnavailableException e) {
            CompletableFuture<Void> unused = connection.end(Refusal.UNAVAILABLE);
        }
    }

    /** How many revocations there have been: to be read before a status is asked for. */
    long revocations() {
        return revocations.get();
    }

    /** How many connections are open. */
    int size() {
        return open.keySet().stream().mapToInt(id -> of(id).size()).sum();
    }

    private List<Connection> of(K id) {
        Queue<Connection> copy = new ConcurrentLinkedQueue<>();
        open.computeIfPresent(id, (same, connections) -> {
            copy.addAll(connections);
            return connections;
        });
        return List.copyOf(copy);
    }

    /**
     * Ends the connections of users that may not act any more, and waits for a while until they have ended. Of users that are known to
     * be revoked, those whose status is unavailable may not act; where any user may be, such a one is asked for again.
     *
     * @return how many were ended
     */
    int revoked(RevokedUsers users) {
        revocations.incrementAndGet();
        String facet = statuses.cache().facet().name();
        List<K> ids =
                open.keySet().stream().filter(id -> users.contains(facet, id)).toList();
        if (ids.isEmpty()) {
            return 0;
        }
        long begin = System.nanoTime();
        Round round = new Round(ids);
        boolean judged = EndingThreads.await(
                List.of(threads.run(() -> judge(round, !users.isEveryone()))),
                begin + threads.patience().dividedBy(JUDGEMENT).toNanos());
        if (!judged && !users.isEveryone()) {
            round.ids.forEach(id -> round.end(id, Refusal.UNAVAILABLE));
        }
        EndingThreads.await(round.endings, begin + threads.patience().toNanos());
        return round.ended.get();
    }

    private void judge(Round round, boolean areNamed) {
        List<K> ids = List.copyOf(round.ids);
        for (int from = 0; from < ids.size(); from += MAX_TOGETHER) {
            List<K> together = ids.subList(from, Math.min(from + MAX_TOGETHER, ids.size()));
            Map<K, Lookup<UserStatus>> found = lookUp(together);
            for (K id : together) {
                Lookup<UserStatus> status = found.get(id);
                if (status == null || status.isUnavailable()) {
                    if (areNamed) {
                        round.end(id, Refusal.UNAVAILABLE);
                    } else {
                        retry(id);
                    }
                } else if (status.value().orElse(UserStatus.DISABLED) == UserStatus.DISABLED) {
                    round.end(id, Refusal.ACCOUNT_DISABLED);
                }
                round.ids.remove(id);
            }
        }
    }

    private Map<K, Lookup<UserStatus>> lookUp(Collection<K> ids) {
        try {
            return statuses.cache().lookUpAll(ids);
        } catch (UserUnavailableException e) {
            return Map.of();
        }
    }

    private void retry(K id) {
        undecided.add(id);
        if (retrying.compareAndSet(false, true)) {
            threads.runLater(RETRY, () -> {
                retrying.set(false);
                List<K> again = List.copyOf(undecided);
                again.forEach(undecided::remove);
                judge(new Round(again.stream().filter(open::containsKey).toList()), false);
            });
        }
    }

    /** One call of the listener, or one attempt after it. */
    private final class Round {

        /** Those that are not judged yet. */
        private final Set<K> ids = ConcurrentHashMap.newKeySet();

        private final Queue<CompletableFuture<Void>> endings = new ConcurrentLinkedQueue<>();
        private final AtomicInteger ended = new AtomicInteger();

        Round(Collection<K> ids) {
            this.ids.addAll(ids);
        }

        void end(K id, Refusal why) {
            for (Connection connection : of(id)) {
                CompletableFuture<Void> ending = connection.end(why);
                if (ending != null) {
                    ended.incrementAndGet();
                    endings.add(ending);
                }
            }
        }
    }

    /** Compared by identity. */
    private final class Connection implements Registration {

        private final K id;
        private final Ending ending;
        private final AtomicBoolean over = new AtomicBoolean();

        Connection(K id, Ending ending) {
            this.id = id;
            this.ending = ending;
        }

        /** Begins to end it; {@code null} if it has ended before. */
        @Nullable CompletableFuture<Void> end(Refusal why) {
            if (!leave()) {
                return null;
            }
            ending.refuse(why);
            return threads.run(() -> ending.end(why));
        }

        @Override
        public void close() {
            leave();
        }

        private boolean leave() {
            if (!over.compareAndSet(false, true)) {
                return false;
            }
            open.computeIfPresent(id, (same, connections) -> {
                connections.remove(this);
                return connections.isEmpty() ? null : connections;
            });
            return true;
        }
    }
}
