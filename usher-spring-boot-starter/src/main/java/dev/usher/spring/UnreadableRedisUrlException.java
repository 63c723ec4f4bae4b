package dev.usher.spring;

/**
 * A setting is not the URL of a Redis. The exception quotes neither the URL nor a cause with it: the URL may contain a password.
 */
final class UnreadableRedisUrlException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    private final String property;

    UnreadableRedisUrlException(String property) {
        super(property + " cannot be read; it should look like redis://host:6379 or rediss://host:6379");
        this.property = property;
    }

    /** The name of the setting. */
    String property() {
        return property;
    }
}
