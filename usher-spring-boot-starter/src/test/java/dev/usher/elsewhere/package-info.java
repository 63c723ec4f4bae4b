/** An application in a package of its own, outside of usher's. */
@NullMarked
package dev.usher.elsewhere;

import org.jspecify.annotations.NullMarked;
