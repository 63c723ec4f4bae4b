/**
 * A user service: registration, login, tokens, profiles, statuses and their administration, on the usher starter.
 *
 * <p>{@link dev.usher.server.UsherServer} starts it; its settings are those of {@link
 * dev.usher.server.UsherServerProperties}, {@code usher}, {@code spring.datasource} and {@code spring.data.redis}.
 */
@NullMarked
package dev.usher.server;

import org.jspecify.annotations.NullMarked;
