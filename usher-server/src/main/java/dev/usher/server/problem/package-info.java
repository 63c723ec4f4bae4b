/** Errors as callers see them: {@code application/problem+json} (RFC 9457). */
@NullMarked
package dev.usher.server.problem;

import org.jspecify.annotations.NullMarked;
