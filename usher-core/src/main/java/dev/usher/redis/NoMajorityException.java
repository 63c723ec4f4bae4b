package dev.usher.redis;

/** No majority of the Sentinels names one server as the primary. The message says in words what they say, without anything secret. */
public final class NoMajorityException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    public NoMajorityException(String message) {
        super(message, null, false, false); // thrown with every heartbeat, and its place says nothing
    }
}
