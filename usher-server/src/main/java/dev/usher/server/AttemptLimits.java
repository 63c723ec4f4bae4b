package dev.usher.server;

import dev.usher.spring.RedisEndpoint;
import dev.usher.spring.UsherProperties;
import io.github.bucket4j.BucketConfiguration;
import io.github.bucket4j.TimeMeter;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.stereotype.Component;

/**
 * How often somebody may try: buckets of tokens, one for each mobile number and each address, in the memory of this node, and of
 * the same size in Redis for all nodes alike. An attempt takes from both.
 *
 * <p>While Redis does not answer, or is too slow for so many at once, those of this node decide: then an attempt is limited by
 * each node for itself, and never unlimited, and nobody is locked out by it.
 */
@Component
final class AttemptLimits implements DisposableBean {

    private final UsherServerProperties.Attempts limits;
    private final String keyPrefix;
    private final SharedBuckets shared;
    private final LocalBuckets local;

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
     * Attempts a login. It counts before it is made, so that many at once are no way around the limit; it is taken back when it
     * succeeds, and when it fails for a reason that is not the caller's.
     *
     * @param login throws a {@link ProblemException} when it is refused
     * @throws ProblemException when there were too many
     */
    <T> T login(String mobile, String address, Supplier<T> login) {
        List<Buckets.Named> wanted = new ArrayList<>();
        // The address first: where that is spent, nobody's mobile number is.
        add(wanted, "address", Sha256.hex(ClientAddress.network(address)), limits.perAddress());
        add(wanted, "mobile", Sha256.hex(mobile), limits.perMobile());
        boolean isShared = take(wanted);
        boolean refused = false;
        try {
            return login.get();
        } catch (ProblemException e) {
            refused = true;
            throw e;
        } finally {
            if (!refused) {
                local.giveBack(wanted);
                if (isShared) {
                    shared.giveBack(wanted);
                }
            }
        }
    }

    /**
     * Counts a registration, whatever becomes of it.
     *
     * @throws ProblemException when there were too many
     */
    void countRegistration(String address) {
        List<Buckets.Named> wanted = new ArrayList<>();
        add(wanted, "registrations", Sha256.hex(ClientAddress.network(address)), limits.registrationsPerAddress());
        var unused = take(wanted);
    }

    private void add(List<Buckets.Named> wanted, String kind, String whose, int most) {
        if (most > 0) {
            wanted.add(named(kind + ':' + whose, most));
        }
    }

    private Buckets.Named named(String name, int most) {
        return new Buckets.Named(
                keyPrefix + name,
                BucketConfiguration.builder()
                        .addLimit(limit -> limit.capacity(most).refillGreedy(most, limits.window()))
                        .build());
    }

    /** Takes a token from all of them, and says whether Redis knows of it. */
    private boolean take(List<Buckets.Named> wanted) {
        if (wanted.isEmpty()) {
            return false;
        }
        // Here first: many at once cannot pass by being too many for Redis.
        requireTaken(local.take(wanted));
        Duration wait = shared.take(wanted);
        if (wait == null) {
            return false;
        }
        if (!wait.isZero()) {
            local.giveBack(wanted);
        }
        requireTaken(wait);
        return true;
    }

    private static void requireTaken(Duration wait) {
        if (!wait.isZero()) {
            throw ProblemException.tooManyAttempts(wait);
        }
    }

    /** The application's clock, as Bucket4j reads it. */
    private record WallClock(InstantSource clock) implements TimeMeter {

        @Override
        public long currentTimeNanos() {
            return TimeUnit.MILLISECONDS.toNanos(clock.millis());
        }

        @Override
        public boolean isWallClockBased() {
            return true;
        }
    }
}
