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
 * Hashes and compares passwords, which is slow by design. A bulkhead leaves a processor for all other calls: some calls hash, some wait in
 * the order of their arrival and for a short time, and further ones are refused at once. Thread-safe.
 */
@Component
public final class Passwords {

    private final PasswordEncoder encoder;
    private final Semaphore running;
    private final Semaphore admitted;
    private final Duration maxWait;

    @Autowired
    Passwords(PasswordEncoder encoder, UsherServerProperties properties) {
        this(encoder, properties.passwords(), Runtime.getRuntime().availableProcessors());
    }

    Passwords(PasswordEncoder encoder, UsherServerProperties.Passwords limits, int processors) {
        int atOnce = limits.maxAtOnce() == 0 ? Math.max(1, processors - 1) : limits.maxAtOnce();
        this.encoder = encoder;
        this.running = new Semaphore(atOnce, true);
        this.admitted = new Semaphore(atOnce + limits.maxWaiting());
        this.maxWait = limits.maxWait();
    }

    /**
     * Whether a hash is that of a password.
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
     * Refuses a call that would be refused now.
     *
     * @throws BusyException when there are too many calls
     */
    public void requirePlace() {
        if (admitted.availablePermits() <= 0) {
            throw new BusyException();
        }
    }

    /** The hash of a password that no caller has sent: without the bulkhead. */
    public String hashNow(String password) {
        return Objects.requireNonNull(encoder.encode(password));
    }

    private <T> T inTurn(Supplier<T> work) {
        if (!admitted.tryAcquire()) {
            throw new BusyException();
        }
        try {
            if (!running.tryAcquire(maxWait.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new BusyException();
            }
            try {
                return work.get();
            } finally {
                running.release();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BusyException();
        } finally {
            admitted.release();
        }
    }
}
