/**
 * The change relay of usher: announces changes of users that no application announces, such as those made by SQL, from the log of the database.
 *
 * <p>An application meets {@link dev.usher.relay.ChangeRelay}, a {@link dev.usher.relay.ChangeFeed} such as {@link
 * dev.usher.relay.PostgresChangeFeed}, and {@link dev.usher.relay.WatchedTable}.
 */
@NullMarked
package dev.usher.relay;

import org.jspecify.annotations.NullMarked;
