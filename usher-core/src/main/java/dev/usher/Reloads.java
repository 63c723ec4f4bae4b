package dev.usher;

import dev.usher.NearTier.CachedAnswer;
import dev.usher.SingleFlight.Flight;
import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Claiming;
import dev.usher.redis.GuardProtocol.Refresh;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads of users that the tiers may know already: ahead of an entry's expiry, and past all tiers ({@link UserCache#findFresh}). Each has a claim
 * on the value that it replaces, and stores nothing where another one stands by then. Thread-safe.
 */
final class Reloads<K, V> {

    private static final Logger log = LoggerFactory.getLogger(Reloads.class);

    private final Engine engine;
    private final SharedTier shared;
    private final CachedFacet<K, V> facet;
    private final Counters counters;
    private final NearTier<K, V> near;
    private final ReadThrough<K, V> readThrough;
    private final SourceReads<K, V> source;
    private final RefreshAhead ahead;
    private final RateLimitedLog refreshLog = new RateLimitedLog(log);

    Reloads(Engine engine, CachedFacet<K, V> facet, NearTier<K, V> near, ReadThrough<K, V> readThrough) {
        this.engine = engine;
        this.shared = engine.shared();
        this.facet = facet;
        this.counters = facet.counters();
        this.near = near;
        this.readThrough = readThrough;
        this.source = readThrough.source();
        this.ahead = readThrough.ahead();
    }

    // Refresh ahead: what is found in memory, and will soon be missing in Redis, is loaded before a caller misses it.

    /** Loads an entry again that is due, if it will soon be missing. The caller, which has its answer, does not wait for it. */
    void refreshLater(K id, CachedAnswer<V> due) {
        ahead.submit(due, () -> refresh(id, due));
    }

    /** Completed when the refresh is over; it never fails. */
    private CompletableFuture<?> refresh(K id, CachedAnswer<V> cachedAnswer) {
        Miss<K, V> miss = new Miss<>(facet.keyOf(id), SingleFlight.alone(id));
        return Futures.of(() -> refresh(miss, cachedAnswer)).handle((done, failure) -> {
            if (failure != null && Futures.causeOf(failure) instanceof SharedTierException) {
                counters.sharedErrors.increment();
                readThrough.release(miss);
            } else if (failure != null) {
                readThrough.release(miss);
                refreshLog.warn(
                        "The refresh of {} failed ({})",
                        miss.key,
                        Futures.causeOf(failure).getClass().getName());
            }
            readThrough.wakeUps().wake(id);
            return null;
        });
    }

    private CompletableFuture<?> refresh(Miss<K, V> miss, CachedAnswer<V> cachedAnswer) {
        // The executor may run this on the thread of a caller, inside its transaction.
        if (engine.isClosed() || !source.canLoadForOthers()) {
            return CompletableFuture.completedFuture(null);
        }
        Bulkhead.Call call = source.begin(engine.steps());
        if (source.isRefused(call)) {
            return CompletableFuture.completedFuture(null); // it is due again in a moment
        }
        return askToReplace(miss, ahead.window(), call).thenCompose(answer -> {
            if (answer instanceof Refresh.Later later) {
                cachedAnswer.dueIn(later.left());
            } else if (answer instanceof Refresh.Granted granted) {
                counters.refreshes.increment();
                miss.replaced = granted.value();
                return readThrough
                        .loadClaimed(List.of(miss), call)
                        .thenCompose(readThrough::store)
                        .thenCompose(done -> afterRefresh(miss, call));
            }
            return CompletableFuture.completedFuture(null);
        });
    }

    private CompletableFuture<?> afterRefresh(Miss<K, V> miss, Bulkhead.Call call) {
        if (miss.failure() != null) {
            log.debug("{} could not be refreshed; it stays until it expires", miss.key, miss.failure());
        } else if (miss.isRefused) {
            // What was to be replaced is there no more, and callers that have missed it since wait for a value.
            miss.replaced = null;
            miss.token = null;
            return readThrough.claim(List.of(miss), call);
        }
        return CompletableFuture.completedFuture(null);
    }

    /** Asks for a claim on an entry that is there, if it will be missing so soon. */
    private CompletableFuture<Refresh> askToReplace(Miss<K, V> miss, Duration ahead, Bulkhead.Call call) {
        String token = engine.nextToken();
        miss.token = token;
        return shared.all(
                        List.of(miss.key),
                        List.of(shared.guards(miss.key).refresh(miss.key, token, ahead)),
                        call.steps())
                .thenApply(answers -> answers.get(0));
    }

    // The read past all tiers.

    /**
     * Loads what was read after this call, whatever the tiers hold.
     *
     * @return whether the tiers hold it, too, or at least nothing older; else the caller is to invalidate
     */
    CompletableFuture<Boolean> loadFresh(Flight<K, V> flight, Bulkhead.Call call) {
        if (facet.codec().isUnfit()) {
            return readThrough.loadUnstored(List.of(flight), call).thenApply(done -> false);
        }
        Miss<K, V> miss = new Miss<>(facet.keyOf(flight.key()), flight);
        if (source.isRefused(call)) {
            readThrough.refuse(List.of(miss), call);
            return CompletableFuture.completedFuture(true);
        }
        if (!readThrough.belief().in(miss.key)) {
            return loadFreshWithoutRedis(miss, call);
        }
        return Futures.then(claimFresh(miss, call), (claimed, failure) -> {
            if (failure != null) {
                readThrough.countSharedError(failure);
                readThrough.release(miss);
                return loadFreshWithoutRedis(miss, call);
            }
            return Boolean.TRUE.equals(claimed) ? loadUnderClaim(miss, call) : loadPastClaim(miss, call);
        });
    }

    private CompletableFuture<Boolean> loadUnderClaim(Miss<K, V> miss, Bulkhead.Call call) {
        return readThrough
                .loadClaimed(List.of(miss), call)
                .thenCompose(readThrough::store)
                // A source that cannot say changes nothing.
                .thenApply(done -> miss.isSettled || miss.failure() != null);
    }

    /** What is there, or is about to be stored by another, may have been read before this call. */
    private CompletableFuture<Boolean> loadPastClaim(Miss<K, V> miss, Bulkhead.Call call) {
        return source.load(List.of(miss), call).thenApply(done -> {
            miss.completeLoaded();
            return miss.failure() != null;
        });
    }

    /** Asks for the right to store, whether there is a value or not. */
    private CompletableFuture<Boolean> claimFresh(Miss<K, V> miss, Bulkhead.Call call) {
        return askToReplace(miss, NearTier.NEVER, call).thenCompose(answer -> {
            if (answer instanceof Refresh.Granted granted) {
                miss.replaced = granted.value();
                return CompletableFuture.completedFuture(true);
            }
            return answer instanceof Refresh.Unneeded
                    ? claimNothing(miss, call)
                    : CompletableFuture.completedFuture(false);
        });
    }

    private CompletableFuture<Boolean> claimNothing(Miss<K, V> miss, Bulkhead.Call call) {
        return shared.claim(List.of(new Claiming(miss.key, miss.token(), null)), call.steps())
                .thenApply(claims -> {
                    if (claims.get(0) instanceof Claim.Granted mine) {
                        miss.isClaimedOverNothing = mine.overNothing();
                        return true;
                    }
                    return false;
                });
    }

    private CompletableFuture<Boolean> loadFreshWithoutRedis(Miss<K, V> miss, Bulkhead.Call call) {
        return source.load(List.of(miss), shared::sessionWithoutRedis, call).thenApply(done -> {
            if (miss.failure() == null && !miss.isCached) {
                near.forget(miss.id);
            }
            miss.completeLoaded();
            return true;
        });
    }
}
