/** What the guide's recipes show, one idea a class: a block of the guide stands in one of them, word for word. */
@NullMarked
package dev.usher.recipes;

import org.jspecify.annotations.NullMarked;
