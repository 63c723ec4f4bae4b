package dev.usher;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Calls of a source, counted, and judged by user: a row that cannot be read makes its own user unavailable, and no other.
 *
 * <p>A source that can tell such users apart {@linkplain UnreadableUsersException says so}. The call of another one fails as a
 * whole. Unless no row can be the reason, it is then repeated in parts: first for single users, until one of them is answered,
 * then by halves. A source that answers none of the first {@value #PROBES} is taken for one that fails, and for a second its
 * failures are not looked into any more.
 *
 * <p>Thread-safe.
 */
final class SourceCalls<K, V> {

    /** How many users are asked for one by one, to see whether the source answers for any. */
    static final int PROBES = 8;

    /** How many calls may follow on one that has failed: enough for five users among 500. */
    static final int MAX_REPEATED = 64;

    /** For how long after the beginning of a call that fails others may follow on it. */
    static final Duration REPEATED_FOR = Duration.ofSeconds(2);

    /** For how long a source that answered for no user is not asked in parts. */
    static final Duration LEFT_ALONE = Duration.ofSeconds(1);

    private final UserSource<K, V> source;
    private final Counters counters;
    private final SourceTroubles troubles;
    private final LongSupplier nanoTime;

    /** Until when calls that fail are not repeated in parts. */
    private volatile long leftAloneUntil;

    SourceCalls(UserSource<K, V> source, Counters counters, SourceTroubles troubles, LongSupplier nanoTime) {
        this.source = source;
        this.counters = counters;
        this.troubles = troubles;
        this.nanoTime = nanoTime;
        this.leftAloneUntil = nanoTime.getAsLong();
    }

    /**
     * What the source says of the given users.
     *
     * @return an entry for each of them, but for those that do not exist
     * @throws Exception when it could not say anything of any of them
     */
    Map<K, Loaded<V>> load(Set<K> ids) throws Exception {
        Map<K, Loaded<V>> answer;
        long from = nanoTime.getAsLong();
        try {
            answer = call(ids);
        } catch (Exception e) {
            if (isCalledOff(e)) {
                throw e;
            }
            Parts parts = new Parts(ids, e, from);
            if (!isWorthAsking(ids, e) || !parts.ask()) {
                troubles.failed(ids, e);
                throw e;
            }
            answer = parts.answer;
        }
        note(ids, answer);
        return answer;
    }

    private boolean isWorthAsking(Set<K> ids, Exception failure) {
        return ids.size() > 1 && SourceFailure.mayBeOfOneRow(failure) && nanoTime.getAsLong() - leftAloneUntil >= 0;
    }

    /** Whether the caller's interrupt is the reason: that says nothing of the source. */
    private static boolean isCalledOff(Exception failure) {
        return failure instanceof InterruptedException || Thread.currentThread().isInterrupted();
    }

    private void note(Set<K> ids, Map<K, Loaded<V>> answer) {
        Map<K, Exception> failures = failuresOf(answer);
        if (failures.isEmpty()) {
            troubles.answered();
        } else if (failures.size() == ids.size()) {
            troubles.failed(ids, failures.values().iterator().next());
        } else {
            troubles.unreadable(failures);
        }
    }

    private Map<K, Exception> failuresOf(Map<K, Loaded<V>> answer) {
        Map<K, Exception> failures = new HashMap<>(0);
        answer.forEach((id, loaded) -> {
            Exception failure = loaded.failure();
            if (failure != null) {
                failures.put(id, failure);
            }
        });
        return failures;
    }

    /** One call of the source, for however many callers. */
    private Map<K, Loaded<V>> call(Set<K> ids) throws Exception {
        counters.loadBegins(ids.size());
        long from = System.nanoTime();
        try {
            Map<K, Loaded<V>> answer = answerOf(ids);
            long took = System.nanoTime() - from;
            if (failuresOf(answer).size() < ids.size()) {
                counters.loadAnswered(took);
            } else {
                counters.loadFailed(took);
            }
            return answer;
        } catch (Throwable e) {
            counters.loadFailed(System.nanoTime() - from);
            throw e;
        }
    }

    private Map<K, Loaded<V>> answerOf(Set<K> ids) throws Exception {
        Map<K, Loaded<V>> answer = new HashMap<>();
        try {
            source.load(ids).forEach((id, value) -> put(answer, ids, id, loadedOf(value)));
        } catch (UnreadableUsersException e) {
            for (Exception failure : e.failures().values()) {
                if (!SourceFailure.mayBeOfOneRow(failure)) {
                    // What could not be read for such a reason may be missing from both maps, too.
                    throw failure;
                }
            }
            answer.clear();
            e.found().forEach((id, value) -> put(answer, ids, id, loadedOf(valueOf(value))));
            e.failures().forEach((id, failure) -> put(answer, ids, id, Loaded.failed(failure)));
        }
        return answer;
    }

    @SuppressWarnings("unchecked") // The source is one of such values, and a cast that is wrong fails at the codec.
    private @Nullable V valueOf(@Nullable Object value) {
        return (@Nullable V) value;
    }

    private Loaded<V> loadedOf(@Nullable V value) {
        return value == null
                ? Loaded.failed(new IllegalStateException("the source returned a null value"))
                : Loaded.of(value);
    }

    @SuppressWarnings("unchecked") // It equals one of them.
    private static <K, V> void put(Map<K, Loaded<V>> answer, Set<K> ids, Object id, Loaded<V> loaded) {
        if (!ids.contains(id)) {
            throw new IllegalStateException("the source returned an id that it was not asked for");
        }
        answer.put((K) id, loaded);
    }

    /** A call that has failed, repeated for parts of its users. Of the thread that loads. */
    private final class Parts {

        /** Who has not been answered for has failed. */
        private final Map<K, Loaded<V>> answer = new HashMap<>();

        private final List<K> ids;
        private final long until;
        private int repeated;
        private boolean isAnswered;
        private boolean isOver;

        private Parts(Set<K> ids, Exception failure, long from) {
            ids.forEach(id -> answer.put(id, Loaded.failed(failure)));
            this.ids = new ArrayList<>(ids);
            // The same users should not stand first each time.
            Collections.shuffle(this.ids, ThreadLocalRandom.current());
            // From the first call: one that hung is not to be made again, whatever it has thrown in the end.
            this.until = from + REPEATED_FOR.toNanos();
        }

        /** Whether the source has answered for any part. */
        boolean ask() throws Exception {
            int probed = 0;
            while (!isAnswered && probed < Math.min(PROBES, ids.size()) && mayGoOn()) {
                probed++;
                ask(ids.subList(probed - 1, probed));
            }
            if (isAnswered) {
                askRest(ids.subList(probed, ids.size()), probed > 1);
            } else if (probed == PROBES) {
                leftAloneUntil = nanoTime.getAsLong() + LEFT_ALONE.toNanos();
            }
            return isAnswered;
        }

        /** Asks for all but the probes. Where one of these has failed, it may have been the reason. */
        private void askRest(List<K> rest, boolean aProbeFailed) throws Exception {
            if (rest.isEmpty()) {
                return;
            }
            if (!aProbeFailed) {
                narrow(rest);
            } else if (mayGoOn() && !ask(rest) && rest.size() > 1) {
                narrow(rest);
            }
        }

        /** Asks for the halves of what has failed, those of the largest parts first. */
        private void narrow(List<K> failed) throws Exception {
            Queue<List<K>> parts = new ArrayDeque<>();
            parts.add(failed);
            for (List<K> part = parts.poll(); part != null; part = parts.poll()) {
                List<K> first = part.subList(0, part.size() / 2);
                List<K> second = part.subList(part.size() / 2, part.size());
                boolean isFirstAnswered = first.isEmpty() || askOrKeep(first, parts);
                if (isFirstAnswered && second.size() > 1) {
                    parts.add(second); // It would fail as a whole: the reason is not in the other half.
                } else {
                    askOrKeep(second, parts);
                }
            }
        }

        /** Whether a part has been answered; else it is kept, if it can be divided. */
        private boolean askOrKeep(List<K> part, Queue<List<K>> parts) throws Exception {
            boolean answered = mayGoOn() && ask(part);
            if (!answered && part.size() > 1 && mayGoOn()) {
                parts.add(part);
            }
            return answered;
        }

        private boolean mayGoOn() {
            return !isOver && repeated < MAX_REPEATED && nanoTime.getAsLong() - until < 0;
        }

        /** Whether the source has answered for a part; what it has not answered keeps its latest failure. */
        private boolean ask(List<K> part) throws Exception {
            repeated++;
            try {
                Map<K, Loaded<V>> answered = call(Set.copyOf(part));
                part.forEach(answer::remove);
                answer.putAll(answered);
                isAnswered = true;
                return true;
            } catch (Exception e) {
                if (isCalledOff(e)) {
                    throw e;
                }
                part.forEach(id -> answer.put(id, Loaded.failed(e)));
                isOver = !SourceFailure.mayBeOfOneRow(e);
                return false;
            }
        }
    }
}
