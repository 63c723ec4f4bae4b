/** Users: their registration, profiles, statuses, passwords and administration, and the table that the caches read. */
@NullMarked
package dev.usher.server.user;

import org.jspecify.annotations.NullMarked;
