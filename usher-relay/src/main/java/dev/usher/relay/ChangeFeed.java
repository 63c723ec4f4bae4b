package dev.usher.relay;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The log of a database, or what serves as one: which rows of the {@linkplain WatchedTable watched tables} have changed, in the order of their commits, at
 * least once each. A {@link ChangeRelay} reads it.
 *
 * <p>A feed has a position, which lasts when no process runs: a replication slot, a place in a binlog, what is left in a table. It moves on when the relay says
 * so, and never by itself. Thread-safe.
 */
public interface ChangeFeed {

    /** What it is called in the log, in health, and as the name of its bookmark: the same in all processes that share its position, of letters, digits and the like. */
    String name();

    /**
     * Connects, and checks that the position, if there is one, may be the feed's. It changes nothing in the database.
     *
     * @return to be closed
     * @throws ChangeFeedException when the database cannot be reached, or is none that can be followed
     */
    Session open() throws ChangeFeedException;

    /**
     * Removes from the database all that following needs, such as a slot and a publication. No relay may follow meanwhile. What is not there is no error.
     *
     * @throws ChangeFeedException when something could not be removed; its message is the SQL to run
     */
    void drop() throws ChangeFeedException;

    /** Is told of changes. */
    interface Listener {

        /**
         * Some changes, in the order of the log. Called by one thread at a time.
         *
         * @param changes may be none: then only the place has moved
         * @param place behind the changes
         * @param mark of that place, without anything of a user, or a text without characters: see {@link Session#holds}
         * @return whether the position may move on to that place. If not, it may with a later call that says so
         * @throws InterruptedException when following ends; the position does not move on then
         */
        boolean changed(List<Change> changes, long place, String mark) throws InterruptedException;
    }

    /**
     * Where a feed stands.
     *
     * @param history which database this is, which of its histories, and what of it is followed: a text that changes when the database is another one, or may have
     *     gone back, or when its log may have been without changes of a watched table, since what is logged was set otherwise
     * @param place where the position is: everything before it has been announced. Places of one history grow with the log. {@code null} when there is no
     *     position, or none that can be used
     * @param end where the log ends
     * @param retained how much of the log the database keeps for the position, in bytes
     * @param detail what else an operator wants to know, in words, such as the state of the slot
     * @param mark of the place, or a text without characters: see {@link Session#holds}
     */
    record Standing(String history, @Nullable Long place, long end, long retained, String detail, String mark) {

        /** Of a feed that needs no marks. */
        public Standing(String history, @Nullable Long place, long end, long retained, String detail) {
            this(history, place, end, retained, detail, "");
        }
    }

    /** A connection to the database, for one relay. Not thread-safe; the listener is called by a thread of the feed. */
    interface Session extends AutoCloseable {

        /**
         * Claims the position for this process, without waiting: until it is closed, no other session may follow. The claim of a process that has died ends by
         * itself, within ten seconds.
         *
         * @return whether it has the claim
         * @throws ChangeFeedException when the database does not answer
         */
        boolean claim() throws ChangeFeedException;

        /**
         * Where the feed stands now.
         *
         * @throws ChangeFeedException when the database does not answer
         */
        Standing standing() throws ChangeFeedException;

        /**
         * Checks what following needs. It changes nothing in the database.
         *
         * @throws ChangeFeedException when something is missing; its message is the SQL to run
         */
        void check() throws ChangeFeedException;

        /**
         * Makes a new position at the end of the log, in place of one that cannot be used.
         *
         * @throws ChangeFeedException when the database refuses
         */
        void create() throws ChangeFeedException;

        /**
         * Whether the log still is the one in which a relay has left its bookmark, for a feed whose database does not keep the position. It is asked before that is
         * followed from there.
         *
         * @param place of the bookmark
         * @param mark what the feed had said of that place: another log would hardly have the same there
         * @return whether the log can be followed from there, and no change was left out
         * @throws ChangeFeedException when the database does not answer
         */
        default boolean holds(long place, String mark) throws ChangeFeedException {
            return true;
        }

        /**
         * Removes the position, so that the database keeps no log for it. Following ends before.
         *
         * @throws ChangeFeedException when the database refuses
         */
        void giveUp() throws ChangeFeedException;

        /**
         * Begins to follow, and returns when the log is being read. Only with a claim. Where the log comes by the place of the bookmark and has another mark there, the
         * listener is told of an {@linkplain Change.Unreadable unreadable} change, or following ends.
         *
         * @param from the place of the bookmark: where to begin, for a feed whose database does not keep the position
         * @param mark what the listener was told of that place, or a text without characters
         * @param listener is told of the changes
         * @throws ChangeFeedException when the log cannot be read, or is another one by now
         */
        void follow(long from, String mark, Listener listener) throws ChangeFeedException;

        /**
         * Checks that the log is still being followed.
         *
         * @throws ChangeFeedException when it is not, and why
         */
        void requireFollowing() throws ChangeFeedException;

        /**
         * Has the listener told of a place near the end of the log soon, although no watched table changes.
         *
         * @throws ChangeFeedException when the database does not answer
         */
        void nudge() throws ChangeFeedException;

        /** Ends following, the claim and the connection. Does not throw. */
        @Override
        void close();
    }
}
