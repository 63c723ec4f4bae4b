/** The code of the guide's recipes, one idea a class: each block of the guide is in one of these classes, word for word. */
@NullMarked
package dev.usher.recipes;

import org.jspecify.annotations.NullMarked;
