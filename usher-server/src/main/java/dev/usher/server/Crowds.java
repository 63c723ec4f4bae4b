package dev.usher.server;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Which calls on this node were under way at the same time as another one about the same thing. Thread-safe. */
final class Crowds {

    private final ConcurrentMap<String, Crowd> crowds = new ConcurrentHashMap<>();

    /** Calls about one thing, from the first of them until none is under way any more. */
    private static final class Crowd {

        private int size;
        private volatile boolean crowded;
    }

    /** A call begins; it ends with {@link Call#close}. */
    Call begin(String about) {
        Crowd crowd = crowds.compute(about, (key, present) -> {
            Crowd joined = present == null ? new Crowd() : present;
            joined.size++;
            joined.crowded |= joined.size > 1;
            return joined;
        });
        return new Call(about, crowd);
    }

    /** One call. */
    final class Call implements AutoCloseable {

        private final String about;
        private final Crowd crowd;

        private Call(String about, Crowd crowd) {
            this.about = about;
            this.crowd = crowd;
        }

        /** Whether another call has been under way since this one began, or when that other one began, and so on. */
        boolean isCrowded() {
            return crowd.crowded;
        }

        @Override
        public void close() {
            crowds.computeIfPresent(about, (key, present) -> {
                present.size--;
                return present.size == 0 ? null : present;
            });
        }
    }
}
