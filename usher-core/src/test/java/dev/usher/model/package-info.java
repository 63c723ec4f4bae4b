/**
 * Exhaustive explorations of small models: every order of the steps of nodes, servers and Sentinels, until no new state is reached.
 *
 * <p>A {@link dev.usher.model.Model} names the states, the steps between them, and what must not happen. The {@link dev.usher.model.Explorer} goes through all of
 * them, breadth first, so that what it finds is told with the fewest steps. Each rule of usher is a constant of an enum, and can be taken out: then the
 * exploration has to find what breaks.
 */
@NullMarked
package dev.usher.model;

import org.jspecify.annotations.NullMarked;
