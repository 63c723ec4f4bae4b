/** An application with the starter, as a reader may copy it. */
@NullMarked
package dev.usher.sample;

import org.jspecify.annotations.NullMarked;
