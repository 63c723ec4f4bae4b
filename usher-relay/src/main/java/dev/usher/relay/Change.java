package dev.usher.relay;

import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a {@link ChangeFeed} has read in the log of the database. Immutable. */
public sealed interface Change {

    /**
     * A row has been inserted, updated or deleted.
     *
     * @param table its table
     * @param before what is known of the row before, by column, as texts; or {@code null} when nothing is, as of an insert, and of an update that leaves
     *     the id as it was
     * @param after the row as it is now, by column, as texts; or {@code null} when it was deleted
     * @param at when it was committed, by the clock of the database; or {@code null} when that is not known
     */
    record Row(
            WatchedTable table,
            @Nullable Map<String, @Nullable String> before,
            @Nullable Map<String, @Nullable String> after,
            @Nullable Instant at)
            implements Change {}

    /**
     * All rows of a table have gone at once, as by {@code TRUNCATE}.
     *
     * @param table its name
     */
    record Emptied(String table) implements Change {}

    /**
     * Something has changed that could not be read.
     *
     * @param why in words, without anything of a user
     */
    record Unreadable(String why) implements Change {}
}
