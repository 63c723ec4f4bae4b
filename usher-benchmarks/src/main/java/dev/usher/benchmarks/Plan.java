package dev.usher.benchmarks;

import java.time.Duration;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * How much is measured.
 *
 * @param name the plan's name
 * @param peers the contenders
 * @param nearUsers how many users the near tiers hold
 * @param sharedUsers how many users are in Redis in the rows about reads from Redis
 * @param loginUsers how many users the database has that is read at logins
 * @param memoryUsers how many users are stored to measure their memory
 * @param growth the numbers of users at which growth is measured
 * @param warmUp how long each contender is called before the first round, at a time
 * @param warmUps how often each of them is at most, until the compiler is idle
 * @param rounds how often each contender has its turn
 * @param turn how long a turn lasts
 * @param forks how many JVMs measure each near hit, one after the other
 * @param spreads how near hits are spread over the users: {@code zipf}, {@code uniform}
 * @param nearThreads how many threads ask for near hits at most
 * @param overlapped whether near hits are also measured with answers that are not used
 * @param iterations how often each of them measures
 * @param iteration for how long
 * @param repetitions how often the counted scenarios are repeated
 * @param changes how many changes are made for each contender
 * @param serverTurn how long a turn of the server lasts, whose processor time the system counts in hundredths of a second
 * @param serverWarmUp how many such turns the server has at most until its compiler is idle
 * @param patience how long to wait for an answer that may never come
 * @param redis what rows 1 to 4 are measured on
 */
record Plan(
        String name,
        List<Peer> peers,
        int nearUsers,
        int sharedUsers,
        int loginUsers,
        int memoryUsers,
        List<Integer> growth,
        Duration warmUp,
        int warmUps,
        int rounds,
        Duration turn,
        int forks,
        List<String> spreads,
        int nearThreads,
        boolean overlapped,
        int iterations,
        Duration iteration,
        int repetitions,
        int changes,
        Duration serverTurn,
        int serverWarmUp,
        Duration patience,
        Topology redis) {

    /** The contenders for which a condition holds. */
    List<Peer> peers(Predicate<Peer> condition) {
        return peers.stream().filter(condition).toList();
    }

    /** The same on another Redis, without the peers that are not compared there. */
    Plan on(Topology other) {
        return new Plan(
                name,
                peers(peer -> peer.isUsher() || peer.isAlike() || peer == Peer.LETTUCE || peer == Peer.CAFFEINE),
                nearUsers,
                sharedUsers,
                loginUsers,
                memoryUsers,
                growth,
                warmUp,
                warmUps,
                rounds,
                turn,
                forks,
                spreads,
                nearThreads,
                overlapped,
                iterations,
                iteration,
                repetitions,
                changes,
                serverTurn,
                serverWarmUp,
                patience,
                other);
    }

    /**
     * Less than ten minutes on two cores: every row, with fewer users and wider spreads, near hits in a Zipf distribution and by
     * one thread only, and without two peers, of which one makes 200 callers wait for 15 s.
     */
    static Plan quick() {
        return new Plan(
                "quick",
                Stream.of(Peer.values())
                        .filter(peer -> peer != Peer.REDISSON_MAP && peer != Peer.SPRING_REDIS_LOCKING)
                        .toList(),
                5_000,
                1_000,
                20_000,
                5_000,
                List.of(1_000, 10_000, 100_000),
                Duration.ofMillis(600),
                6,
                3,
                Duration.ofMillis(200),
                1,
                List.of("zipf"),
                1,
                false,
                4,
                Duration.ofMillis(300),
                1,
                25,
                Duration.ofSeconds(2),
                22,
                Duration.ofSeconds(6),
                Topology.SERVER);
    }

    /** The plan behind the published conclusions: about half an hour. */
    static Plan full() {
        return new Plan(
                "full",
                List.of(Peer.values()),
                100_000,
                10_000,
                100_000,
                20_000,
                List.of(1_000, 10_000, 100_000, 1_000_000),
                Duration.ofSeconds(2),
                6,
                7,
                Duration.ofMillis(250),
                1,
                List.of("zipf", "uniform"),
                2,
                true,
                4,
                Duration.ofMillis(400),
                3,
                100,
                Duration.ofSeconds(2),
                75,
                Duration.ofSeconds(10),
                Topology.SERVER);
    }

    /** The smallest plan, without most peers, to test that every row is filled: its figures mean nothing. */
    static Plan smoke() {
        return new Plan(
                "smoke",
                List.of(
                        Peer.USHER,
                        Peer.USHER_SHARED,
                        Peer.CAFFEINE,
                        Peer.CAFFEINE_ALIKE,
                        Peer.CAFFEINE_TTL,
                        Peer.LETTUCE,
                        Peer.LETTUCE_TRACKED,
                        Peer.SPECIFICATION),
                200,
                50,
                500,
                200,
                List.of(50, 200),
                Duration.ofMillis(20),
                1,
                1,
                Duration.ofMillis(20),
                0,
                List.of("zipf", "uniform"),
                2,
                true,
                1,
                Duration.ofMillis(20),
                1,
                2,
                Duration.ofMillis(300),
                1,
                Duration.ofMillis(500),
                Topology.SERVER);
    }
}
