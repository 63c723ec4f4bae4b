package dev.usher.server.attempt;

import dev.usher.server.UsherServerProperties;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.token.Sha256;
import dev.usher.spring.RedisEndpoint;
import dev.usher.spring.UsherProperties;
import io.github.bucket4j.BucketConfiguration;
import io.github.bucket4j.TimeMeter;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/**
 * How often somebody may try: buckets of tokens, one for each mobile number and each address, in the memory of this node, and of
 * the same size in Redis for all nodes alike. An attempt takes from both.
 *
 * <p>While Redis does not answer, the buckets of this node decide: then an attempt is limited by each node for itself, and never
 * unlimited, and no user is locked out by it. Of several attempts at once with one mobile number, those are refused that Redis has not
 * answered in time, or is not asked about within a second of that: it may only be slow, and would have refused them.
 */
@Component
public final class AttemptLimits implements DisposableBean {

    /** When an attempt in doubt is tried again, Redis has answered, or is known not to. */
    private static final Duration SOON = Duration.ofSeconds(1);

    private final UsherServerProperties.Attempts limits;
    private final String keyPrefix;
    private final SharedBuckets shared;
    private final LocalBuckets local;
    private final Crowds crowds = new Crowds();

    @Autowired
    AttemptLimits(UsherServerProperties properties, UsherProperties caches, RedisEndpoint redis, InstantSource clock) {
        this(properties.attempts(), caches.keyPrefix(), redis, caches.redis().commandTimeout(), clock);
    }

    AttemptLimits(
            UsherServerProperties.Attempts limits,
            String keyPrefix,
            RedisEndpoint redis,
            Duration commandTimeout,
            InstantSource clock) {
        this.limits = limits;
        // Not the key of an entry, which ends with the name of a facet, nor of a guard, which begins with a brace.
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
     * Attempts a login. It counts before it is made, so that many at once are no way around the limit; the count is taken back when
     * the login succeeds, and when it fails for a reason that is not the caller's.
     *
     * @param login throws a {@link ProblemException} when it is refused
     * @throws ProblemException when there were too many
     */
    public <T> T login(String mobile, String address, Supplier<T> login) {
        List<NamedBucket> wanted = new ArrayList<>();
        // The address first: where that is spent, nobody's mobile number is.
        add(wanted, "address", Sha256.hex(ClientAddress.network(address)), limits.perAddress());
        add(wanted, "mobile", Sha256.hex(mobile), limits.perMobile());
        try (Crowds.Call call = crowds.begin(mobile)) {
            // Counted by nodes for themselves, many at once would pass on each of them.
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
     * Counts a registration, whatever becomes of it.
     *
     * @throws ProblemException when there were too many
     */
    public void countRegistration(String address) {
        List<NamedBucket> wanted = new ArrayList<>();
        add(wanted, "registrations", Sha256.hex(ClientAddress.network(address)), limits.registrationsPerAddress());
        var unused = take(wanted, () -> false);
    }

    private void add(List<NamedBucket> wanted, String kind, String whose, int most) {
        if (most > 0) {
            wanted.add(named(kind + ':' + whose, most));
        }
    }

    private NamedBucket named(String name, int most) {
        return new NamedBucket(
                keyPrefix + name,
                BucketConfiguration.builder()
                        .addLimit(limit -> limit.capacity(most).refillGreedy(most, limits.window()))
                        .build());
    }

    /**
     * Takes a token from all of them.
     *
     * @param refusedInDoubt whether an attempt is refused while Redis may only be slow
     */
    private Taken take(List<NamedBucket> wanted, BooleanSupplier refusedInDoubt) {
        if (wanted.isEmpty()) {
            return new Taken(wanted, null);
        }
        // Here first: many at once cannot pass by being too many for Redis.
        requireTaken(local.take(wanted));
        Taken taken = new Taken(wanted, shared.take(wanted));
        requireTaken(taken.await(refusedInDoubt));
        return taken;
    }

    /** What an attempt has taken, here and in Redis. */
    private final class Taken {

        private final List<NamedBucket> buckets;
        private final SharedBuckets.@Nullable Taking inRedis;

        Taken(List<NamedBucket> buckets, SharedBuckets.@Nullable Taking inRedis) {
            this.buckets = buckets;
            this.inRedis = inRedis;
        }

        /** How long the attempt has to wait, as far as this is known: zero when Redis does not say. */
        Duration await(BooleanSupplier refusedInDoubt) {
            if (inRedis == null) {
                return shared.isInDoubt() && refusedInDoubt.getAsBoolean() ? SOON : Duration.ZERO;
            }
            Duration wait = inRedis.await();
            if (wait != null) {
                if (!wait.isZero()) {
                    local.giveBack(buckets);
                }
                return wait;
            }
            if (inRedis.isLate() && refusedInDoubt.getAsBoolean()) {
                // Here it stays counted: when Redis is not asked any more, those that come next are not to find this
                // node's bucket full.
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
