package dev.usher.relay;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A log that a test writes. */
final class PlayedFeed implements ChangeFeed {

    volatile Standing standing = new Standing("one", 100L, 1000, 0, "played");
    volatile @Nullable Error failure;
    volatile @Nullable String missing;
    volatile boolean isHeld = true;
    volatile String followedMark = "";
    final AtomicInteger nudges = new AtomicInteger();
    private volatile @Nullable Listener listener;

    /** What the listener says of some changes, on a thread of the feed's. */
    CompletableFuture<Boolean> play(long place, Change... changes) {
        return playTo(place, "", changes);
    }

    /** As {@link #play}, up to a place with a mark. */
    CompletableFuture<Boolean> playTo(long place, String mark, Change... changes) {
        Listener told = listener;
        if (told == null) {
            throw new IllegalStateException("no relay follows");
        }
        return CompletableFuture.supplyAsync(() -> {
            try {
                return told.changed(List.of(changes), place, mark);
            } catch (InterruptedException e) {
                throw new CompletionException(e);
            }
        });
    }

    @Override
    public String name() {
        return "played";
    }

    @Override
    public Session open() {
        Error error = failure;
        if (error != null) {
            throw error;
        }
        return new Session() {
            @Override
            public boolean claim() {
                return true;
            }

            @Override
            public Standing standing() {
                return standing;
            }

            @Override
            public void check() throws ChangeFeedException {
                String what = missing;
                if (what != null) {
                    throw new ChangeFeedException(what);
                }
            }

            @Override
            public void create() {
                standing = new Standing(standing.history(), standing.end(), standing.end(), 0, "played");
            }

            @Override
            public void giveUp() {
                standing = new Standing(standing.history(), null, standing.end(), 0, "given up");
            }

            @Override
            public boolean holds(long place, String mark) {
                return isHeld;
            }

            @Override
            public void follow(long from, String mark, Listener told) {
                followedMark = mark;
                listener = told;
            }

            @Override
            public void requireFollowing() {}

            @Override
            public void nudge() {
                nudges.incrementAndGet();
            }

            @Override
            public void close() {
                listener = null;
            }
        };
    }

    @Override
    public void drop() {
        standing = new Standing(standing.history(), null, standing.end(), 0, "dropped");
    }
}
