package dev.usher.model;

import java.util.Set;

/**
 * States, and the steps between them.
 *
 * @param <S> a state, which a step never changes
 * @param <P> what must not happen
 */
public interface Model<S, P extends Enum<P>> {

    /** Where it begins. */
    S first();

    /** Tells of all that may happen next. Time passes only in a step. */
    void stepsFrom(S state, Steps<S> steps);

    /** Writes all that tells this state apart from others. Two states that are written alike are one. */
    void write(S state, Packer to);

    /** What must not happen, and has in this state. */
    Set<P> brokenIn(S state);

    /** Takes the steps from a state. */
    @FunctionalInterface
    interface Steps<S> {

        /**
         * A step.
         *
         * @param next the state after it
         * @param words what happens, as a sentence
         */
        void to(S next, Object... words);
    }
}
