/**
 * Real servers for tests and the means to break them: a Redis, alone or with replicas and Sentinels, a PostgreSQL, and a TCP
 * proxy that loses, holds and delays bytes. Nothing here needs Docker, a package of the operating system, or a test framework. Linux and macOS only: servers
 * are frozen and killed with POSIX signals.
 */
@NullMarked
package dev.usher.testkit;

import org.jspecify.annotations.NullMarked;
