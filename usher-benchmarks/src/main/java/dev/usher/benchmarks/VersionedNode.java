package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.RedisServer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A node behind its own network, with a reader that asks for one user again and again and checks the version of each answer.
 */
final class VersionedNode implements AutoCloseable {

    private final FaultProxy network;
    private final Contender contender;
    private final ExecutorService thread = Executors.newSingleThreadExecutor();

    private volatile boolean closed;

    VersionedNode(Peer peer, RedisServer redis, Site site) {
        network = FaultProxy.inFrontOf(redis.host(), redis.port());
        contender =
                peer.open(new Site("redis://" + network.host() + ":" + network.port(), site.source(), site.nearSize()));
    }

    Contender contender() {
        return contender;
    }

    FaultProxy network() {
        return network;
    }

    /** A user as of a version. */
    static UserProfile version(Long id, long version) {
        UserProfile row = Users.profile(id);
        return new UserProfile(
                row.mobile(), String.valueOf(version), row.photo(), row.isMedia(), row.intro(), row.certi());
    }

    /** Starts a reader that asks for a user again and again, with a pause in between; returns with the first answer. */
    Watch watch(Long id, Duration pause) throws InterruptedException {
        Watch watch = new Watch(id, pause);
        watch.running = thread.submit(watch::run);
        watch.firstAnswer.await();
        return watch;
    }

    @Override
    public void close() {
        closed = true;
        thread.shutdownNow();
        try {
            contender.close();
        } finally {
            network.close();
        }
    }

    /** What the reader has seen. */
    final class Watch {

        private final Long id;
        private final Duration pause;
        private final CountDownLatch firstAnswer = new CountDownLatch(1);
        private final AtomicLong stale = new AtomicLong();
        private final AtomicLong failed = new AtomicLong();

        private volatile @Nullable Future<?> running;
        private volatile boolean ended;
        private volatile long expected;
        private volatile long lastStaleNanos;
        private volatile long firstNewNanos;

        private Watch(Long id, Duration pause) {
            this.id = id;
            this.pause = pause;
        }

        private void run() {
            while (!ended && !closed) {
                long wanted = expected;
                try {
                    UserProfile answer = contender.find(id);
                    long now = System.nanoTime();
                    // A change that was committed after the question may or may not be in the answer.
                    if (answer != null && wanted == expected) {
                        judge(Long.parseLong(answer.name()), wanted, now);
                    }
                    firstAnswer.countDown();
                } catch (RuntimeException e) {
                    failed.incrementAndGet();
                }
                LockSupport.parkNanos(pause.toNanos());
            }
        }

        private void judge(long version, long wanted, long now) {
            if (version < wanted) {
                stale.incrementAndGet();
                lastStaleNanos = now;
            } else if (firstNewNanos == 0) {
                firstNewNanos = now;
            }
        }

        /** Marks this version as committed: from now on, answers with older versions are stale. */
        void expect(long version) {
            stale.set(0);
            failed.set(0);
            lastStaleNanos = 0;
            firstNewNanos = 0;
            expected = version;
        }

        /** The number of stale answers since the change. */
        long stale() {
            return stale.get();
        }

        /** The number of questions without an answer since the change. */
        long failed() {
            return failed.get();
        }

        /** Whether the new version has been answered. */
        boolean hasSeenChange() {
            return firstNewNanos != 0;
        }

        /** How long after that moment the last stale answer was given, in milliseconds; zero if none was. */
        double staleMillisAfter(long nanos) {
            return lastStaleNanos == 0
                    ? 0
                    : Math.max(0, lastStaleNanos - nanos) / (double) TimeUnit.MILLISECONDS.toNanos(1);
        }

        /** How long after that moment the first new answer was given, in milliseconds. */
        double newMillisAfter(long nanos) {
            return Math.max(0, firstNewNanos - nanos) / (double) TimeUnit.MILLISECONDS.toNanos(1);
        }

        /** Stops the reader; does not wait for a call that hangs. */
        void end() {
            ended = true;
            Future<?> asking = running;
            if (asking != null) {
                asking.cancel(true);
            }
        }
    }
}
