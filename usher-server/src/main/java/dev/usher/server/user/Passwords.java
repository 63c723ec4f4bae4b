package dev.usher.server.user;

import dev.usher.server.UsherServerProperties;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.stereotype.Component;

/**
 * Hashes passwords and compares them, which is to be slow: so many at once that a processor is left for all other calls (a bulkhead). As
 * many calls again wait, in the order in which they came and for a short time, and the rest is refused at once. Thread-safe.
 */
@Component
public final class Passwords {

    private final PasswordEncoder encoder;
    private final Semaphore turns;
    private final Semaphore places;
    private final Duration maxWait;

    @Autowired
    Passwords(PasswordEncoder encoder, UsherServerProperties properties) {
        this(encoder, properties.passwords(), Runtime.getRuntime().availableProcessors());
    }

    Passwords(PasswordEncoder encoder, UsherServerProperties.Passwords limits, int processors) {
        int atOnce = limits.maxAtOnce() == 0 ? Math.max(1, processors - 1) : limits.maxAtOnce();
        this.encoder = encoder;
        this.turns = new Semaphore(atOnce, true);
        this.places = new Semaphore(atOnce + limits.maxWaiting());
        this.maxWait = limits.maxWait();
    }

    /**
     * Whether a password is the one of a hash.
     *
     * @throws BusyException when there are too many such calls
     * @throws IllegalArgumentException when the hash is of an unknown kind
     */
    public boolean matches(String password, String hash) {
        return inTurn(() -> encoder.matches(password, hash));
    }

    /**
     * The hash of a password.
     *
     * @throws BusyException when there are too many such calls
     */
    String hash(String password) {
        return inTurn(() -> hashNow(password));
    }

    /**
     * Looks whether a call that comes now finds a place.
     *
     * @throws BusyException when there are too many
     */
    public void requirePlace() {
        if (places.availablePermits() <= 0) {
            throw new BusyException();
        }
    }

    /** The hash of a password that no caller has sent: it is made at once, whatever else is. */
    public String hashNow(String password) {
        return Objects.requireNonNull(encoder.encode(password));
    }

    private <T> T inTurn(Supplier<T> work) {
        if (!places.tryAcquire()) {
            throw new BusyException();
        }
        try {
            if (!turns.tryAcquire(maxWait.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new BusyException();
            }
            try {
                return work.get();
            } finally {
                turns.release();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BusyException();
        } finally {
            places.release();
        }
    }
}
