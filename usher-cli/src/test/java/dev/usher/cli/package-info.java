/** Tests of the command line. */
@NullMarked
package dev.usher.cli;

import org.jspecify.annotations.NullMarked;
