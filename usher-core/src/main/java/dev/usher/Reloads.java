package dev.usher;

import dev.usher.NearTier.CachedAnswer;
import dev.usher.SingleFlight.Flight;
import dev.usher.redis.GuardProtocol.Claim;
import dev.usher.redis.GuardProtocol.Refresh;
import dev.usher.redis.SharedTier;
import dev.usher.redis.SharedTierException;
import java.time.Duration;
import java.util.List;
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

    private void refresh(K id, CachedAnswer<V> cachedAnswer) {
        // The executor may run this on the thread of a caller, inside its transaction.
        if (engine.isClosed() || !source.canLoadForOthers()) {
            return;
        }
        Miss<K, V> miss = new Miss<>(facet.keyOf(id), SingleFlight.alone(id));
        try (Bulkhead.Call call = source.begin()) {
            if (source.isRefused(call)) {
                return; // it is due again in a moment
            }
            Refresh answer = askToReplace(miss, ahead.window());
            if (answer instanceof Refresh.Later later) {
                cachedAnswer.dueIn(later.left());
            } else if (answer instanceof Refresh.Granted granted) {
                counters.refreshes.increment();
                miss.replaced = granted.value();
                readThrough.loadUnderClaim(List.of(miss), call);
                if (miss.failure() != null) {
                    log.debug("{} could not be refreshed; it stays until it expires", miss.key, miss.failure());
                } else if (miss.isRefused) {
                    // What was to be replaced is there no more, and callers that have missed it since wait for a value.
                    miss.replaced = null;
                    miss.token = null;
                    readThrough.claim(List.of(miss), call);
                }
            }
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            readThrough.release(miss);
        } catch (RuntimeException | Error e) {
            // An executor may run this on the thread of the caller, which has its answer.
            refreshLog.warn(
                    "The refresh of {} failed ({})", miss.key, e.getClass().getName());
        } finally {
            readThrough.wakeUps().wake(id);
        }
    }

    /** Asks for a claim on an entry that is there, if it will be missing so soon. */
    private Refresh askToReplace(Miss<K, V> miss, Duration ahead) throws SharedTierException {
        String token = engine.nextToken();
        miss.token = token;
        return shared.guards(miss.key).refresh(miss.key, token, ahead);
    }

    // The read past all tiers.

    /**
     * Loads what was read after this call, whatever the tiers hold.
     *
     * @return whether the tiers hold it, too, or at least nothing older; else the caller is to invalidate
     */
    boolean loadFresh(Flight<K, V> flight, Bulkhead.Call call) {
        if (facet.codec().isUnfit()) {
            readThrough.loadUnstored(List.of(flight), call);
            return false;
        }
        Miss<K, V> miss = new Miss<>(facet.keyOf(flight.key()), flight);
        if (source.isRefused(call)) {
            readThrough.refuse(List.of(miss), call);
            return true;
        }
        if (engine.fences().isPending(miss.key)) {
            loadFreshWithoutRedis(miss, call);
            return true;
        }
        boolean claimed;
        try {
            claimed = claimFresh(miss);
        } catch (SharedTierException e) {
            counters.sharedErrors.increment();
            readThrough.release(miss);
            loadFreshWithoutRedis(miss, call);
            return true;
        }
        if (claimed) {
            readThrough.loadUnderClaim(List.of(miss), call);
            // A source that cannot say changes nothing.
            return miss.isSettled || miss.failure() != null;
        }
        // What is there, or is about to be stored by another, may have been read before this call.
        source.load(List.of(miss), call);
        miss.completeLoaded();
        return miss.failure() != null;
    }

    /** Asks for the right to store, whether there is a value or not. */
    private boolean claimFresh(Miss<K, V> miss) throws SharedTierException {
        Refresh answer = askToReplace(miss, NearTier.NEVER);
        if (answer instanceof Refresh.Granted granted) {
            miss.replaced = granted.value();
            return true;
        }
        if (answer instanceof Refresh.Unneeded
                && shared.awaitAll(
                                        List.of(miss.key),
                                        List.of(shared.guards(miss.key).claim(miss.key, miss.token(), null)))
                                .get(0)
                        instanceof Claim.Granted mine) {
            miss.isClaimedOverNothing = mine.overNothing();
            return true;
        }
        return false;
    }

    private void loadFreshWithoutRedis(Miss<K, V> miss, Bulkhead.Call call) {
        source.load(List.of(miss), shared::sessionWithoutRedis, call);
        if (miss.failure() == null && !miss.isCached) {
            near.forget(miss.id);
        }
        miss.completeLoaded();
    }
}
