/** Log in, refresh and log out, as the specification has it. */
@NullMarked
package dev.usher.server.login;

import org.jspecify.annotations.NullMarked;
