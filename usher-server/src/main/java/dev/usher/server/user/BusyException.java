package dev.usher.server.user;

/** That there is more to do than can be done soon. The caller should try again, and an attempt does not count. */
public final class BusyException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    public BusyException() {
        super("too many passwords are to be hashed or compared at once", null, false, false);
    }
}
