package dev.usher.server.attempt;

import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.token.Pseudonyms;
import dev.usher.spring.RedisEndpoint;
import dev.usher.spring.UsherProperties;
import io.github.bucket4j.BucketConfiguration;
import io.github.bucket4j.TimeMeter;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/**
 * Limits of logins and registrations: a token bucket for each mobile number and each address, in the memory of this node, and one of the same
 * size in Redis for all nodes. An attempt takes a token from both. Thread-safe.
 *
 * <p>While Redis does not answer, the buckets of this node decide: attempts are then limited by each node for itself, and no user is locked out.
 * Of several attempts at once with one mobile number, those that Redis has not answered in time are refused, and for a second after that those
 * that Redis was not asked about: it may only be slow, and would have refused them.
 */
@Component
public final class AttemptLimits implements DisposableBean {

    /** By then Redis has answered, or is known not to answer. */
    private static final Duration SOON = Duration.ofSeconds(1);

    private final UsherServerProperties.Attempts limits;
    private final String keyPrefix;
    private final UnaryOperator<String> pseudonyms;
    private final SharedBuckets shared;
    private final LocalBuckets local;
    private final Crowds crowds = new Crowds();

    @Autowired
    AttemptLimits(
            UsherServerProperties properties,
            UsherProperties caches,
            RedisEndpoint redis,
            Pseudonyms pseudonyms,
            InstantSource clock) {
        this(properties.attempts(), caches.keyPrefix(), redis, caches.redis().commandTimeout(), pseudonyms::of, clock);
    }

    AttemptLimits(
            UsherServerProperties.Attempts limits,
            String keyPrefix,
            RedisEndpoint redis,
            Duration commandTimeout,
            UnaryOperator<String> pseudonyms,
            InstantSource clock) {
        this.limits = limits;
        this.pseudonyms = pseudonyms;
        // It is neither the key of an entry, which ends with the name of a facet, nor that of a guard, which begins
        // with a brace.
        this.keyPrefix = keyPrefix + ":attempts:";
        TimeMeter time = new WallClock(clock);
        this.shared = new SharedBuckets(redis, commandTimeout, time, named("probe", 1));
        this.local = new LocalBuckets(time, limits.window());
    }

    @Override
    public void destroy() {
        shared.close();
    }

    /**
     * Attempts a login. It counts before it is made, so that many at once cannot exceed the limit; its tokens are given back when the login
     * succeeds, and when it fails for a reason that is not the caller's.
     *
     * @param login throws a {@link ProblemException} when it is refused
     * @throws ProblemException when there were too many
     */
    public <T> T login(String mobile, String address, Supplier<T> login) {
        List<NamedBucket> wanted = new ArrayList<>();
        // The address first: an address over its limit takes no tokens of mobile numbers.
        add(wanted, "address", network(address), limits.perAddress());
        add(wanted, "mobile", mobile, limits.perMobile());
        try (Crowds.Call call = crowds.begin(mobile)) {
            // While each node counts for itself, many at once would pass on each of them.
            Taken taken = take(wanted, limits.perMobile() > 0 ? call::isCrowded : () -> false);
            boolean refused = false;
            try {
                return login.get();
            } catch (ProblemException e) {
                refused = e.problem().status() < 500;
                throw e;
            } finally {
                if (!refused) {
                    taken.giveBack();
                }
            }
        }
    }

    /**
     * Counts a registration, whether it succeeds or not.
     *
     * @throws ProblemException when there were too many
     */
    public void countRegistration(String address) {
        List<NamedBucket> wanted = new ArrayList<>();
        add(wanted, "registrations", network(address), limits.registrationsPerAddress());
        var unused = take(wanted, () -> false);
    }

    private void add(List<NamedBucket> wanted, String kind, String owner, int max) {
        if (max > 0) {
            wanted.add(named(kind + ':' + pseudonyms.apply(kind + ':' + owner), max));
        }
    }

    private static String network(String address) {
        return HexFormat.of().formatHex(ClientAddress.network(address));
    }

    private NamedBucket named(String name, int max) {
        return new NamedBucket(
                keyPrefix + name,
                BucketConfiguration.builder()
                        .addLimit(limit -> limit.capacity(max).refillGreedy(max, limits.window()))
                        .build());
    }

    /**
     * Takes a token from each bucket.
     *
     * @param refusedWhileSlow whether the attempt is refused while Redis may only be slow
     */
    private Taken take(List<NamedBucket> wanted, BooleanSupplier refusedWhileSlow) {
        if (wanted.isEmpty()) {
            return new Taken(wanted, null);
        }
        // Here first, so that many at once cannot pass by being too many for Redis.
        requireTaken(local.take(wanted));
        Taken taken = new Taken(wanted, shared.take(wanted));
        requireTaken(taken.await(refusedWhileSlow));
        return taken;
    }

    /** The tokens that an attempt has taken, here and in Redis. */
    private final class Taken {

        private final List<NamedBucket> buckets;
        private final SharedBuckets.@Nullable Taking inRedis;

        Taken(List<NamedBucket> buckets, SharedBuckets.@Nullable Taking inRedis) {
            this.buckets = buckets;
            this.inRedis = inRedis;
        }

        /** How long the attempt has to wait; zero when Redis has not answered. */
        Duration await(BooleanSupplier refusedWhileSlow) {
            if (inRedis == null) {
                return shared.isSuspect() && refusedWhileSlow.getAsBoolean() ? SOON : Duration.ZERO;
            }
            Duration wait = inRedis.await();
            if (wait != null) {
                if (!wait.isZero()) {
                    local.giveBack(buckets);
                }
                return wait;
            }
            if (inRedis.isLate() && refusedWhileSlow.getAsBoolean()) {
                // The tokens of this node stay taken: when Redis is not asked any more, the next attempts must not find
                // a full
                // bucket.
                inRedis.giveBack();
                return SOON;
            }
            return Duration.ZERO;
        }

        void giveBack() {
            local.giveBack(buckets);
            if (inRedis != null) {
                inRedis.giveBack();
            }
        }
    }

    private static void requireTaken(Duration wait) {
        if (!wait.isZero()) {
            throw ProblemException.tooManyAttempts(wait);
        }
    }
}
