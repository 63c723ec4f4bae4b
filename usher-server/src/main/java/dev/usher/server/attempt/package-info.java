/** Limits: how often a login or a registration may be tried, and how many profiles a caller may read. */
@NullMarked
package dev.usher.server.attempt;

import org.jspecify.annotations.NullMarked;
