package dev.usher.benchmarks;

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.LongStream;

/** Contenders that are open at the same time, on the same Redis and the same source. Not thread-safe. */
final class Contenders implements AutoCloseable {

    /** As many as fit into one list for every contender. */
    private static final int AT_ONCE = 500;

    /** Fewer than this many commands of a round in which everybody is asked for are heartbeats, and no questions. */
    private static final long QUIET = 200;

    /** Longer than it takes until usher looks, once, at what it has found in Redis: how long it will live there. */
    private static final Duration QUIET_FOR = Duration.ofSeconds(2);

    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final Map<Peer, Contender> open = new EnumMap<>(Peer.class);

    private Contenders() {}

    static Contenders open(List<Peer> peers, Site site) {
        Contenders contenders = new Contenders();
        try {
            for (Peer peer : peers) {
                contenders.open.put(peer, peer.open(site));
            }
            return contenders;
        } catch (RuntimeException e) {
            contenders.close();
            throw e;
        }
    }

    Contender get(Peer peer) {
        return Objects.requireNonNull(open.get(peer), peer.title());
    }

    /** Has each of them remember the users from 1 to that number. */
    void remember(int users) {
        open.values().forEach(contender -> remember(contender, users));
    }

    /** Has one of them store the users from 1 to that number as if all of them had logged in. */
    static void fill(Contender contender, int users) {
        LongStream.rangeClosed(1, users).parallel().forEach(id -> contender.fill(id, Users.profile(id), Instant.now()));
    }

    /** Has one of them remember the users from 1 to that number. */
    static void remember(Contender contender, int users) {
        remember(contender, LongStream.rangeClosed(1, users).boxed().toArray(Long[]::new));
    }

    /** Has one of them remember these users, by these very keys. */
    static void remember(Contender contender, Long[] ids) {
        for (int first = 0; first < ids.length; first += AT_ONCE) {
            List<Long> some = List.of(Arrays.copyOfRange(ids, first, Math.min(first + AT_ONCE, ids.length)));
            require(contender.findAll(some).size(), some.size());
        }
    }

    /**
     * Has one of them remember these users, by these very keys, until it answers for all of them without asking Redis, and
     * goes on doing so.
     *
     * @throws IllegalStateException if it never does
     */
    static void rememberInMemory(Contender contender, Long[] ids, String redisUri) {
        remember(contender, ids);
        long begun = System.nanoTime();
        long now = begun;
        long loudAt = begun - QUIET_FOR.toNanos();
        while (now - loudAt <= QUIET_FOR.toNanos()) {
            if (commandsOfOneRound(contender, ids, redisUri) >= QUIET) {
                loudAt = System.nanoTime();
            }
            now = System.nanoTime();
            if (now - begun > PATIENCE.toNanos()) {
                throw new IllegalStateException("not everybody is remembered in memory");
            }
        }
    }

    private static long commandsOfOneRound(Contender contender, Long[] ids, String redisUri) {
        long before = RedisFigures.of(redisUri).commands();
        for (Long id : ids) {
            contender.find(id);
        }
        return RedisFigures.of(redisUri).commands() - before;
    }

    private static void require(int found, int asked) {
        if (found != asked) {
            throw new IllegalStateException("of " + asked + " users, " + found + " were found");
        }
    }

    /** What is measured of each of them, in the order of {@link Peer}. */
    Map<Peer, Call> calls(Function<Contender, Call> call) {
        Map<Peer, Call> calls = new LinkedHashMap<>();
        open.forEach((peer, contender) -> calls.put(peer, call.apply(contender)));
        return calls;
    }

    @Override
    public void close() {
        open.values().forEach(Contender::close);
    }
}
