package dev.usher.spring;

import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * That the status gate has let a request pass: a request attribute, which the later dispatches of the request find, and what the
 * request opens. Thread-safe.
 *
 * @param <K> the type of a user's id
 */
final class Passage<K> {

    /** The request attribute. */
    static final String ATTRIBUTE = StatusGate.class.getName() + ".PASSED";

    private final K id;
    private final boolean isOfUser;
    private final long revocations;
    private final AtomicBoolean dispatched = new AtomicBoolean();
    private volatile @Nullable Refusal refusal;

    /**
     * A passage.
     *
     * @param isOfUser whether there is a user with the id, which is enabled; or else something that passes all the same
     * @param revocations how many there had been before the status was asked for
     */
    Passage(K id, boolean isOfUser, long revocations) {
        this.id = id;
        this.isOfUser = isOfUser;
        this.revocations = revocations;
    }

    K id() {
        return id;
    }

    boolean isOfUser() {
        return isOfUser;
    }

    long revocations() {
        return revocations;
    }

    /** Why the request is to be refused at its next dispatch, if it is. */
    @Nullable Refusal refusal() {
        return refusal;
    }

    void end(Refusal why) {
        refusal = why;
    }

    /** Whether the request may be dispatched to the gate for its refusal: once, in case that the gate is not asked. */
    boolean mayDispatch() {
        return dispatched.compareAndSet(false, true);
    }
}
