package dev.usher;

import dev.usher.SharedTier.Claim;
import dev.usher.SingleFlight.Flight;
import dev.usher.SingleFlight.Landing;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The read path and the write path, top to bottom: the shared tier, then the source under a claim.
 *
 * <p>The caller's own thread does the work. A caller who misses while another of this process is loading the same entry
 * waits for that one.
 */
final class TieredUserCache<K, V> implements UserCache<K, V> {

    private static final Logger log = LoggerFactory.getLogger(TieredUserCache.class);

    /** Renewed three times in a lease, so that one lost renewal does not lose the claim. */
    private static final Duration RENEWAL = SharedTier.LEASE.dividedBy(3);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(2);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(20);

    private final UserCaches caches;
    private final SharedTier shared;
    private final UserSource<K, V> source;
    private final CachePolicy policy;
    private final KeySpace keys;
    private final EntryCodec<V> codec;
    private final SingleFlight<K, V> flights = new SingleFlight<>();
    private final Counters counters = new Counters();

    TieredUserCache(UserCaches caches, KeySpace keys, Facet<V> facet, UserSource<K, V> source) {
        this.caches = caches;
        this.shared = caches.shared();
        this.keys = keys;
        this.source = source;
        this.policy = facet.policy();
        this.codec = new EntryCodec<>(facet.codec());
    }

    // The read path.

    @Override
    public Optional<V> find(K id) {
        String key = keyOf(id);
        while (true) {
            UnreadableEntryException unreadable = null;
            try {
                Entry<V> entry = findShared(key);
                if (entry != null) {
                    counters.sharedHits.increment();
                    return entry.toOptional();
                }
            } catch (UnreadableEntryException e) {
                unreadable = e;
            }
            Landing<V> landing = findTogether(id, key, unreadable);
            if (landing != null) {
                (landing.tier() == Tier.SHARED ? counters.sharedHits : counters.sourceAnswers).increment();
                return landing.entry().toOptional();
            }
        }
    }

    /** What the shared tier holds, or {@code null} when it holds nothing, or fails. */
    private @Nullable Entry<V> findShared(String key) throws UnreadableEntryException {
        if (caches.fences().isPending(key)) {
            return null;
        }
        try {
            byte[] bytes = shared.get(key);
            return bytes == null ? null : codec.decode(bytes);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            return null;
        }
    }

    /** Loads, or waits for who is loading already; {@code null} when that one has read too early for this caller. */
    private @Nullable Landing<V> findTogether(K id, String key, @Nullable UnreadableEntryException unreadable) {
        try {
            boolean withoutRedis = shared.isFailing() || caches.fences().isPending(key);
            return flights.fly(id, withoutRedis, flight -> load(id, key, unreadable, flight));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable(key, "interrupted while another caller was loading it", e);
        } catch (ExecutionException e) {
            throw unavailable(key, "another caller's load failed", e.getCause());
        } catch (TimeoutException e) {
            throw unavailable(key, "another caller's load takes too long", null);
        }
    }

    private Landing<V> load(K id, String key, @Nullable UnreadableEntryException met, Flight<V> flight) {
        if (caches.fences().isPending(key)) {
            return loadWithoutRedis(id, key, flight);
        }
        UnreadableEntryException unreadable = met;
        if (unreadable != null) {
            noteUnreadable(key, unreadable);
        }
        String token = caches.nextToken();
        long givesUpAt = System.nanoTime() + policy.claimWait().toNanos();
        Duration pause = Duration.ZERO;
        try {
            while (true) {
                int askedIn = flight.nextStep();
                byte[] broken = unreadable == null ? null : unreadable.bytes();
                Claim claim = shared.claim(key, token, broken);
                if (claim instanceof Claim.Granted) {
                    return loadUnderClaim(id, key, token, broken, flight);
                }
                if (claim instanceof Claim.Stored stored) {
                    try {
                        return new Landing<>(codec.decode(stored.value()), Tier.SHARED, askedIn);
                    } catch (UnreadableEntryException e) {
                        unreadable = e;
                        noteUnreadable(key, e);
                    }
                }
                if (claim instanceof Claim.Held held) {
                    long patience = givesUpAt - System.nanoTime();
                    if (patience <= 0) {
                        int readIn = flight.nextStep();
                        return new Landing<>(query(id, key), Tier.SOURCE, readIn);
                    }
                    if (pause.isZero()) {
                        counters.claimWaits.increment();
                    }
                    pause = nextPause(pause);
                    caches.pause(Math.min(
                            pause.toNanos(), Math.min(patience, held.left().toNanos())));
                }
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            // The claim may have been granted although its answer did not come.
            shared.release(key, token);
            return loadWithoutRedis(id, key, flight);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable(key, "interrupted while another process was loading it", e);
        }
    }

    private Landing<V> loadUnderClaim(K id, String key, String token, byte @Nullable [] unreadable, Flight<V> flight) {
        int readIn = flight.nextStep();
        Entry<V> entry = queryRenewing(id, key, token);
        byte[] value = encodedToFill(key, token, entry);
        if (value == null) {
            return new Landing<>(entry, Tier.SOURCE, readIn);
        }
        int filledIn = flight.nextStep();
        try {
            if (shared.fill(key, token, value, ttlOf(entry), unreadable)) {
                // Nothing has changed between the claim and the fill, so the entry was still true at the fill.
                return new Landing<>(entry, Tier.SOURCE, filledIn);
            }
            counters.fillsRefused.increment();
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
        }
        return new Landing<>(entry, Tier.SOURCE, readIn);
    }

    /** What to store, or {@code null}, with the claim given up, for a value that cannot be stored. */
    private byte @Nullable [] encodedToFill(String key, String token, Entry<V> entry) {
        try {
            return codec.encode(entry);
        } catch (RuntimeException e) {
            // Not quoted: an encoder's message may show the value.
            log.error(
                    "The loaded value of {} cannot be encoded ({}), and is not cached",
                    key,
                    e.getClass().getName());
            shared.release(key, token);
            return null;
        }
    }

    /**
     * Who cannot ask Redis cannot be told of a change, and may be answered with what was read before it came, for as long
     * as the staleness bound allows.
     */
    private Landing<V> loadWithoutRedis(K id, String key, Flight<V> flight) {
        int readIn = flight.nextStep();
        long began = System.nanoTime();
        Entry<V> entry = query(id, key);
        boolean withinBound =
                System.nanoTime() - began <= policy.stalenessBound().toNanos();
        return new Landing<>(entry, Tier.SOURCE, readIn, withinBound);
    }

    private Entry<V> queryRenewing(K id, String key, String token) {
        long giveUpAt = System.nanoTime() + SingleFlight.LONGEST_WAIT.toNanos();
        ScheduledFuture<?> renewal = caches.scheduler()
                .scheduleAtFixedRate(
                        () -> {
                            // A source that hangs must not keep the entry from everybody else for ever.
                            if (System.nanoTime() - giveUpAt < 0) {
                                shared.renew(key, token);
                            }
                        },
                        RENEWAL.toNanos(),
                        RENEWAL.toNanos(),
                        TimeUnit.NANOSECONDS);
        try {
            return query(id, key);
        } catch (RuntimeException | Error e) {
            shared.release(key, token);
            throw e;
        } finally {
            renewal.cancel(false);
        }
    }

    private Entry<V> query(K id, String key) {
        counters.loads.increment();
        try {
            Map<K, V> answer = source.load(Set.of(id));
            V value = answer.get(id);
            if (answer.size() != (value == null ? 0 : 1)) {
                throw new IllegalStateException("the source answered a null value, or an id that was not asked for");
            }
            return new Entry<>(value);
        } catch (Exception e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            counters.loadFailures.increment();
            throw unavailable(key, "the source failed", e);
        }
    }

    // The write path.

    @Override
    public boolean save(K id, V value, Instant readAt) {
        String key = keyOf(id);
        Objects.requireNonNull(value, "a user that does not exist cannot be saved");
        boolean stored = offer(key, codec.encode(new Entry<>(value)), readAt);
        (stored ? counters.offersStored : counters.offersRefused).increment();
        return stored;
    }

    private boolean offer(String key, byte[] value, Instant readAt) {
        long now = System.nanoTime();
        Duration age = Duration.between(readAt, caches.clock().instant());
        if (age.isNegative()
                || age.compareTo(SharedTier.FENCE) >= 0
                || caches.fences().isPending(key)) {
            return false;
        }
        try {
            return shared.offer(key, value, jittered(policy.ttl()), now - age.toNanos());
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            return false;
        }
    }

    @Override
    public boolean invalidate(K id) {
        String key = keyOf(id);
        Object mark = caches.fences().announce(key);
        flights.forget(id);
        return caches.fences().send(key, mark);
    }

    @Override
    public CacheStats stats() {
        return counters.read(caches.fences().size());
    }

    /** How many callers of this process wait for another one's load of this user, about. */
    int waitingFor(K id) {
        return flights.passengersOf(id);
    }

    private String keyOf(K id) {
        caches.requireOpen();
        return keys.keyOf(id);
    }

    private Duration ttlOf(Entry<V> entry) {
        return jittered(entry.value() == null ? policy.absentTtl() : policy.ttl());
    }

    private Duration jittered(Duration life) {
        return policy.jittered(life, ThreadLocalRandom.current().nextDouble());
    }

    private static Duration nextPause(Duration pause) {
        Duration doubled = pause.multipliedBy(2);
        return pause.isZero() ? FIRST_PAUSE : doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
    }

    private void noteUnreadable(String key, UnreadableEntryException e) {
        counters.unreadable.increment();
        log.warn("{} cannot be read ({}); it is loaded again and overwritten", key, e.getMessage());
    }

    private UserUnavailableException unavailable(String key, String why, @Nullable Throwable cause) {
        counters.unavailable.increment();
        return new UserUnavailableException(key + " is unavailable: " + why, cause);
    }
}
