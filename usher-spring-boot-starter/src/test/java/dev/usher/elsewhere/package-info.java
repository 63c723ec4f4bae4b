/** An application whose package usher does not know. */
@NullMarked
package dev.usher.elsewhere;

import org.jspecify.annotations.NullMarked;
