package dev.usher.benchmarks;

import java.time.Duration;
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

    /** The users in one call: few enough for every contender. */
    private static final int AT_ONCE = 500;

    /** Fewer commands than this in a round over all users are heartbeats, not reads. */
    private static final long QUIET = 200;

    /** Longer than the delay after which usher asks Redis, once, how long the entries that it has found will live. */
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

    /** Lets each contender cache the users from 1 to that number. */
    void remember(int users) {
        open.values().forEach(contender -> remember(contender, users));
    }

    /** Lets a contender store the users from 1 to that number as if all of them had logged in. */
    static void fill(Contender contender, int users) {
        LongStream.rangeClosed(1, users).parallel().forEach(id -> contender.fill(id, Users.profile(id)));
    }

    /** Lets a contender cache the users from 1 to that number. */
    static void remember(Contender contender, int users) {
        remember(contender, LongStream.rangeClosed(1, users).boxed().toArray(Long[]::new));
    }

    /** Lets a contender cache these users, with these very key objects. */
    static void remember(Contender contender, Long[] ids) {
        for (int first = 0; first < ids.length; first += AT_ONCE) {
            List<Long> some = List.of(Arrays.copyOfRange(ids, first, Math.min(first + AT_ONCE, ids.length)));
            require(contender.findAll(some).size(), some.size());
        }
    }

    /**
     * Lets a contender cache these users, with these very key objects, until it answers for all of them without asking Redis
     * and goes on doing so.
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
                throw new IllegalStateException("not every user is cached in memory");
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

    /** The measured call of each contender, in the order of {@link Peer}. */
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
