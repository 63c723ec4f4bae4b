/** An application with the starter, to copy from. */
@NullMarked
package dev.usher.sample;

import org.jspecify.annotations.NullMarked;
