/** Access tokens, refresh tokens and the keys that sign: what a request is authenticated by. */
@NullMarked
package dev.usher.server.token;

import org.jspecify.annotations.NullMarked;
