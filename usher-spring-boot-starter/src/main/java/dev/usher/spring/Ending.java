package dev.usher.spring;

/** How something that is open for a user is ended. */
@FunctionalInterface
interface Ending {

    /** Takes nothing more from the user, from now on. It does not wait. */
    default void refuse(Refusal why) {}

    /** Ends it. It may wait for its peer: it is called on a thread that ends things, after {@link #refuse}. */
    void end(Refusal why) throws Exception;
}
