package dev.usher.relay;

import static java.util.Objects.requireNonNull;

import dev.usher.RateLimitedLog;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.relay.ChangeFeed.Standing;
import dev.usher.relay.RelayHealth.State;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Announces the changes of users that no application announces - SQL by hand, a job, a service in another language - from the log of the database.
 *
 * <pre>{@code
 * ChangeFeed feed = PostgresChangeFeed.builder()
 *         .url("jdbc:postgresql://db/app").user("relay").password(password)
 *         .watch(WatchedTable.of("users", "id").status("status", "1"))
 *         .build();
 * try (ChangeRelay relay = ChangeRelay.builder().feed(feed).caches(caches, statuses).start()) { ... }
 * }</pre>
 *
 * <p>It announces and never fills: users whose rows have changed are {@linkplain UserCache#forgetAll forgotten} in every facet that has a cache in its {@link
 * UserCaches}, and users that may not act any more are {@linkplain UserCache#revokeAll revoked}. Only when Redis has confirmed that, the position in the log
 * moves on; so each change is announced at least once, whenever a process dies. Where it is not known what has changed - the position is lost, the database
 * was restored, a table was emptied - everything is {@linkplain UserCaches#flush flushed}.
 *
 * <p>Of all relays of a feed, one is active; the others stand by, and one of them takes over within ten seconds. A relay that cannot follow says why in its {@link
 * #health}, and tries again each second. One that the database keeps too much log for gives up its position, and flushes everything when it is back.
 *
 * <p>Thread-safe.
 */
public final class ChangeRelay implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(ChangeRelay.class);

    private static final Duration LOOK = Duration.ofSeconds(1);
    private static final Duration LONGEST_END = Duration.ofSeconds(30);

    /** So much of the log without a change of a watched table, and the position is moved on. */
    private static final long NUDGE_BYTES = 1L << 20;

    private final RateLimitedLog brokenLog = new RateLimitedLog(log);
    private final ChangeFeed feed;
    private final UserCaches caches;
    private final UserCache<?, ?> users;
    private final long maxRetained;
    private final Announcer.Counts counts = new Announcer.Counts();
    private final ScheduledThreadPoolExecutor timer;
    private final Flushes flushes;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Thread thread;
    private final @Nullable Runnable meterRemoval;

    private volatile State state = State.STARTING;
    private volatile @Nullable Standing standing;
    private volatile @Nullable String broken;
    private volatile @Nullable Announcer<?> announcer;

    private ChangeRelay(Builder builder, ChangeFeed feed, UserCaches caches, UserCache<?, ?> users) {
        this.feed = feed;
        this.caches = caches;
        this.users = users;
        this.maxRetained = builder.maxRetained;
        this.timer = new ScheduledThreadPoolExecutor(1, task -> daemon(task, "usher-relay-timer"));
        timer.setRejectedExecutionHandler(new ThreadPoolExecutor.DiscardPolicy()); // after close()
        this.flushes = new Flushes(caches, timer);
        this.thread = daemon(this::run, "usher-relay");
        this.meterRemoval = builder.meterRegistry == null ? null : RelayMeters.in(builder.meterRegistry, this);
    }

    private static Thread daemon(Runnable task, String name) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }

    /** A builder with the default settings. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * How the relay is doing. It asks neither Redis nor the database, so it can be called at any rate, also after the relay is closed.
     *
     * @return what is known at the moment
     */
    public RelayHealth health() {
        State now = state;
        Announcer<?> current = announcer;
        String error = broken;
        if (error == null && current != null) {
            error = current.lastError();
        }
        if (error == null && now != State.CLOSED) {
            error = flushes.lastError();
        }
        Duration lag = current == null || now != State.FOLLOWING ? Duration.ZERO : current.lag();
        return new RelayHealth(now, feed.name(), lag, standing, counts, flushes, error);
    }

    /**
     * Ends following; the position stays in the database, which keeps its log for the next relay. The caches stay open. It waits for 30 s at most. A second call does
     * nothing.
     */
    @Override
    public void close() {
        closing.countDown();
        Announcer<?> current = announcer;
        if (current != null) {
            current.end();
        }
        timer.shutdownNow();
        boolean interrupted = false;
        try {
            thread.join(LONGEST_END.toMillis());
        } catch (InterruptedException e) {
            interrupted = true;
        }
        state = State.CLOSED;
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (meterRemoval != null) {
            meterRemoval.run();
        }
    }

    private void run() {
        while (!isClosing()) {
            try (ChangeFeed.Session session = feed.open()) {
                if (standBy(session)) {
                    follow(session);
                }
            } catch (ChangeFeedException e) {
                broken(e.getMessage(), e);
            } catch (InterruptedException e) {
                return; // no other thread interrupts this one
            } catch (RuntimeException | Error e) {
                // An Error as well, such as a class that is missing: health has to say that no relay follows.
                broken("the relay has failed: " + e.getClass().getSimpleName(), e);
            } finally {
                announcer = null;
            }
            pause();
        }
    }

    private void broken(@Nullable String why, Throwable failure) {
        if (isClosing()) {
            return;
        }
        state = State.BROKEN;
        broken = why;
        if (brokenLog.warn("The relay does not follow {}: {}", feed.name(), why)) {
            log.debug("The relay does not follow", failure);
        }
    }

    /** Waits for the claim. */
    private boolean standBy(ChangeFeed.Session session) throws ChangeFeedException {
        boolean isSaid = false;
        while (!session.claim()) {
            if (isClosing()) {
                return false;
            }
            standing = session.standing();
            broken = null;
            state = State.STANDBY;
            if (!isSaid) {
                log.info("Another relay follows {}; this one stands by", feed.name());
                isSaid = true;
            }
            pause();
        }
        return !isClosing();
    }

    private void follow(ChangeFeed.Session session) throws ChangeFeedException, InterruptedException {
        Standing now = session.standing();
        standing = now;
        boolean isMissing = now.place() == null;
        // Whatever else is wrong, the database keeps no more log than it may.
        if (!isMissing && now.retained() > maxRetained) {
            giveUp(session, now);
            isMissing = true;
        }
        session.check();
        // Redis first: without it nothing can be announced, and a new position would only have the log grow.
        Bookmark left = Bookmark.read(caches, feed.name());
        if (!isMissing && !(left.isOf(now.history()) && session.holds(left.place(), left.mark()))) {
            // Everything is flushed in any case; and from there the log may not be readable with what there is now.
            session.giveUp();
            isMissing = true;
        }
        if (isMissing) {
            session.create();
        }
        Announcer<?> current = new Announcer<>(users, flushes, counts);
        announcer = current;
        try {
            session.follow(left.place(), left.mark(), current);
            // Looked at only now: from here on no other relay moves the position, nor puts another one in its place.
            Standing begun = session.standing();
            requireSame(now, begun);
            Bookmark bookmark = Bookmark.read(caches, feed.name());
            String distrust = bookmark.begin(begun, isMissing);
            if (distrust != null) {
                flushes.want(distrust);
            }
            standing = begun;
            broken = null;
            state = State.FOLLOWING;
            current.trust(bookmark);
            log.info("This node relays the changes of {}", feed.name());
            attend(session, begun, bookmark, current);
        } finally {
            current.end();
        }
    }

    /** Looks each second how far it has come. */
    private void attend(ChangeFeed.Session session, Standing begun, Bookmark bookmark, Announcer<?> current)
            throws ChangeFeedException {
        while (!pause()) {
            session.requireFollowing();
            if (current.isStuck()) {
                // Redis may be away from this node alone.
                throw new ChangeFeedException("Redis does not confirm what is announced; another relay may try");
            }
            Standing now = session.standing();
            standing = now;
            if (now.retained() > maxRetained) {
                giveUp(session, now);
                return;
            }
            requireSame(begun, now);
            Long position = now.place();
            if (position == null) {
                throw new ChangeFeedException("the position in the log is lost (" + now.detail() + ")");
            }
            if (position > bookmark.place()) {
                throw new ChangeFeedException("the position in the log was moved by another program than the relay");
            }
            if (!bookmark.isStored() && flushes.isDone()) {
                // So that the next relay need not flush again, though nothing has changed since.
                var unused = bookmark.moveTo(position, now.mark());
            }
            if (now.end() - position > NUDGE_BYTES || (current.waits() && flushes.isDone())) {
                session.nudge();
            }
        }
    }

    /** What has changed in between may have left changes out. The next session finds another history than its bookmark's, and flushes everything. */
    private static void requireSame(Standing earlier, Standing now) throws ChangeFeedException {
        if (!now.history().equals(earlier.history())) {
            throw new ChangeFeedException(
                    "the publication or a watched table was changed, or the database is another one");
        }
    }

    private void giveUp(ChangeFeed.Session session, Standing now) throws ChangeFeedException {
        session.giveUp();
        log.error(
                "The relay has given up its position in {}: the database kept {} bytes of its log for it, and may keep {}",
                feed.name(),
                now.retained(),
                maxRetained);
    }

    private boolean isClosing() {
        return closing.getCount() == 0;
    }

    /** Waits for the next look, and says whether the relay is being closed. */
    private boolean pause() {
        try {
            return closing.await(LOOK.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            return isClosing(); // no other thread interrupts this one
        }
    }

    /** Settings of a {@link ChangeRelay}. Not thread-safe. */
    public static final class Builder {

        private static final long DEFAULT_MAX_RETAINED = 1L << 30;

        private @Nullable ChangeFeed feed;
        private @Nullable UserCaches caches;
        private @Nullable UserCache<?, ?> users;
        private @Nullable MeterRegistry meterRegistry;
        private long maxRetained = DEFAULT_MAX_RETAINED;

        private Builder() {}

        /**
         * Where changes are read. Required.
         *
         * @param feed the relay does not change it
         * @return this builder
         */
        public Builder feed(ChangeFeed feed) {
            this.feed = feed;
            return this;
        }

        /**
         * The caches in which changes are announced. Required. Only facets that have a cache here are: a process that runs the relay makes all that the fleet
         * uses.
         *
         * @param caches they stay open when the relay is closed
         * @param users the cache in whose facet users are revoked, that of the status; where no table has a {@linkplain WatchedTable#status status}, any.
         *     The texts of the ids are those in the tables
         * @return this builder
         */
        public Builder caches(UserCaches caches, UserCache<?, ?> users) {
            this.caches = requireNonNull(caches, "the caches");
            this.users = requireNonNull(users, "the cache of users");
            return this;
        }

        /**
         * How much of its log the database may keep for the relays, 1 GB by default. Beyond it a relay gives up the position, and flushes everything when it is
         * back. Where no relay runs, only the database itself can limit it.
         *
         * @param bytes at least a million
         * @return this builder
         * @throws IllegalArgumentException when it is less
         */
        public Builder maxRetained(long bytes) {
            if (bytes < 1_000_000) {
                throw new IllegalArgumentException("maxRetained must be 1,000,000 bytes or more, but is " + bytes);
            }
            this.maxRetained = bytes;
            return this;
        }

        /**
         * Where the relay shows its meters until it is closed; by default it shows none. The application brings {@code micrometer-core}.
         *
         * @param meterRegistry the registry
         * @return this builder
         */
        public Builder meterRegistry(MeterRegistry meterRegistry) {
            this.meterRegistry = meterRegistry;
            return this;
        }

        /**
         * Starts a relay on a thread of its own. A database or Redis that cannot be reached does not prevent it.
         *
         * @return the relay, to be closed before the caches are
         * @throws IllegalStateException when no feed or no caches were named
         */
        public ChangeRelay start() {
            if (feed == null || caches == null || users == null) {
                throw new IllegalStateException(
                        "name a feed and the caches: ChangeRelay.builder().feed(feed).caches(caches, statuses).start()");
            }
            ChangeRelay relay = new ChangeRelay(this, feed, caches, users);
            relay.thread.start();
            return relay;
        }
    }
}
