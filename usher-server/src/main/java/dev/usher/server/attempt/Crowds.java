package dev.usher.server.attempt;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.time.Duration;

/** Which calls on this node are under way at the same time as another one about the same thing, or were a moment ago. Thread-safe. */
final class Crowds {

    /** Of many calls that come at once, the last ones may find no other under way any more. A call that takes longer counts as over. */
    private static final Duration REMEMBERED = Duration.ofSeconds(5);

    private static final int MOST = 100_000;

    private final Cache<String, Crowd> crowds = Caffeine.newBuilder()
            .maximumSize(MOST)
            .expireAfterAccess(REMEMBERED)
            .build();

    /** Calls about one thing, from the first of them until a while after the last one. */
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
    Call begin(String about) {
        Crowd crowd = crowds.get(about, first -> new Crowd());
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
