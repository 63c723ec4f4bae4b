package dev.usher.server.user;

/** Too many passwords are being hashed or compared. The caller should try again, and the attempt does not count. */
public final class BusyException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    public BusyException() {
        super("too many passwords are being hashed or compared", null, false, false);
    }
}
