/**
 * usher: a user-information cache for Java services.
 *
 * <p>An application meets {@link dev.usher.UserCaches}, which owns the connections to Redis, the {@link
 * dev.usher.UserCache} that it makes for each {@link dev.usher.Facet}, and the specification's two by their own names:
 * {@link dev.usher.UserProfileCache} and {@link dev.usher.UserStatusCache}. An application provides a {@link
 * dev.usher.UserSource}, and a {@link dev.usher.FacetCodec} for a format other than JSON. Everything else in this
 * package is the engine, and package-private.
 */
@NullMarked
package dev.usher;

import org.jspecify.annotations.NullMarked;
