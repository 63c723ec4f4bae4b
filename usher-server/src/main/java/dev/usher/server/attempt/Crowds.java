package dev.usher.server.attempt;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;

/** Tells which calls on this node are, or were a moment ago, under way at the same time as another call with the same key. Thread-safe. */
final class Crowds {

    /** The last of many calls at once may find no other under way. A call that takes longer than this counts as over. */
    private static final Duration REMEMBERED = Duration.ofSeconds(5);

    private static final int MAX_CROWDS = 100_000;

    private final Cache<String, Crowd> crowds = Caffeine.newBuilder()
            .maximumSize(MAX_CROWDS)
            .expireAfterAccess(REMEMBERED)
            .build();

    /** The calls with one key, from the first until a while after the last. */
    private static final class Crowd {

        private int underWay;
        private boolean crowded;

        synchronized void join() {
            underWay++;
            crowded |= underWay > 1;
        }

        synchronized void leave() {
            underWay--;
        }

        synchronized boolean isCrowded() {
            return crowded;
        }
    }

    /** A call begins; it ends with {@link Call#close}. */
    Call begin(String key) {
        Crowd crowd = crowds.get(key, first -> new Crowd());
        crowd.join();
        return new Call(crowd);
    }

    /** One call. */
    static final class Call implements AutoCloseable {

        private final Crowd crowd;

        private Call(Crowd crowd) {
            this.crowd = crowd;
        }

        /** Whether another call is, or a moment ago was, under way at the same time as this one or as one before it. */
        boolean isCrowded() {
            return crowd.isCrowded();
        }

        @Override
        public void close() {
            crowd.leave();
        }
    }
}
