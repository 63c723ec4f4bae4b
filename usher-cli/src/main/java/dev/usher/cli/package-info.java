/**
 * The command line: {@code usher serve} and {@code usher demo}.
 *
 * <p>{@link dev.usher.cli.UsherCommand} reads it. Where no Redis or no database is named, one is started beside the
 * server and ends after it.
 */
@NullMarked
package dev.usher.cli;

import org.jspecify.annotations.NullMarked;
