/**
 * What speaks to Redis: connections, the tracked reads and their sessions, the guard protocol, the register of nodes. The engine in {@code
 * dev.usher} enters by {@link dev.usher.redis.SharedTier}; nothing here knows the engine.
 *
 * <p>This package is no API, although some of its types are public, for Java has nothing between public and package-private. They
 * change without notice; only {@code dev.usher} is a promise.
 */
@NullMarked
package dev.usher.redis;

import org.jspecify.annotations.NullMarked;
