package dev.usher;

/** Redis did not do what it was asked: it cannot be reached, was too slow, or refused. */
final class SharedTierException extends Exception {

    private static final long serialVersionUID = 1L;

    SharedTierException(String message) {
        super(message);
    }
}
