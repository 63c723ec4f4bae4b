package dev.usher.redis;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.time.InstantSource;
import java.util.function.LongSupplier;

/**
 * How Redis is reached, and by which clocks its silence is judged.
 *
 * @param uri where it is, and how to authenticate there
 * @param clientOptions the client library's own settings
 * @param commandTimeout how long an answer is waited for
 * @param times after which silence counts
 * @param clock the clock of this machine, which goes on while the machine sleeps
 * @param nanoTime the clock of this machine that may stand still meanwhile, as {@link System#nanoTime}
 */
public record RedisSettings(
        RedisURI uri,
        ClientOptions clientOptions,
        Duration commandTimeout,
        Times times,
        InstantSource clock,
        LongSupplier nanoTime) {

    /**
     * After which silence counts.
     *
     * @param silence after which a connection is given up and made anew, although the pulse asks for a sign of life
     * @param registerLife after which a node that does not report is dropped from the register of nodes
     * @param markLife after which a mark that a tenant's nodes have left is dropped, when none of them extends it
     */
    public record Times(Duration silence, Duration registerLife, Duration markLife) {}
}
