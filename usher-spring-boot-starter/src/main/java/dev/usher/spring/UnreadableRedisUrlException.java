package dev.usher.spring;

/** {@code spring.data.redis.url} is no address of a Redis. It quotes neither the URL nor a cause that does: it may hold a password. */
final class UnreadableRedisUrlException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    UnreadableRedisUrlException() {
        super("spring.data.redis.url cannot be read; it should look like redis://host:6379 or rediss://host:6379");
    }
}
