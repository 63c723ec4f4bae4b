/** Tests of the command line. */
@NullMarked
package dev.usher.server.cli;

import org.jspecify.annotations.NullMarked;
