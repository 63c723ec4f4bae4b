package dev.usher.spring;

/**
 * {@code spring.data.redis.url} is not the address of a Redis. The exception quotes neither the URL nor a cause with it: the
 * URL may contain a password.
 */
final class UnreadableRedisUrlException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    UnreadableRedisUrlException() {
        super("spring.data.redis.url cannot be read; it should look like redis://host:6379 or rediss://host:6379");
    }
}
