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
 * The calls of a source: counted, and with a result for each user. A row that cannot be read makes its own user unavailable, and no
 * other.
 *
 * <p>A source may {@linkplain UnreadableUsersException name} the users that it cannot read. Any other failure is that of the whole
 * call. If a row can be the reason, the call is repeated in parts: first for single users, until one of them is answered, then by
 * halves. A source that answers none of the first {@value #PROBES} counts as failing, and for a second its failed calls are not
 * repeated.
 *
 * <p>Thread-safe.
 */
final class SourceCalls<K, V> {

    /** How many users are asked for one by one, to find out whether the source answers for any. */
    static final int PROBES = 8;

    /** How many calls may follow a failed one: enough to find five unreadable users among 500. */
    static final int MAX_REPEATED = 64;

    /** For how long after the beginning of a failed call its parts may be called. */
    static final Duration REPEATED_FOR = Duration.ofSeconds(2);

    /** For how long the failed calls of a source that answered for no user are not repeated in parts. */
    static final Duration LEFT_ALONE = Duration.ofSeconds(1);

    private final UserSource<K, V> source;
    private final Counters counters;
    private final SourceErrorLog errorLog;
    private final LongSupplier nanoTime;

    /** The time until which failed calls are not repeated in parts. */
    private volatile long leftAloneUntil;

    SourceCalls(UserSource<K, V> source, Counters counters, SourceErrorLog errorLog, LongSupplier nanoTime) {
        this.source = source;
        this.counters = counters;
        this.errorLog = errorLog;
        this.nanoTime = nanoTime;
        this.leftAloneUntil = nanoTime.getAsLong();
    }

    /**
     * Loads the given users.
     *
     * @return an entry for each user that exists
     * @throws Exception when the source has answered for none of them
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
                errorLog.failed(ids, e);
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

    /** Whether the caller's interrupt is the reason: then the source has not failed. */
    private static boolean isCalledOff(Exception failure) {
        return failure instanceof InterruptedException || Thread.currentThread().isInterrupted();
    }

    private void note(Set<K> ids, Map<K, Loaded<V>> answer) {
        Map<K, Exception> failures = failuresOf(answer);
        if (failures.isEmpty()) {
            errorLog.answered();
        } else if (failures.size() == ids.size()) {
            errorLog.failed(ids, failures.values().iterator().next());
        } else {
            errorLog.unreadable(failures);
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

    /** One call of the source, for one or many callers. */
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
                    // Users that were not read because of it may be missing from both maps.
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

    /** The repetition of a failed call, for parts of its users. Used by the loading thread only. */
    private final class Parts {

        /** By id, the failures of the users for which the source has not answered. */
        private final Map<K, Loaded<V>> answer = new HashMap<>();

        private final List<K> ids;
        private final long until;
        private int repeated;
        private boolean isAnswered;
        private boolean isOver;

        private Parts(Set<K> ids, Exception failure, long from) {
            ids.forEach(id -> answer.put(id, Loaded.failed(failure)));
            this.ids = new ArrayList<>(ids);
            // Shuffled, so that the probes are not the same users each time.
            Collections.shuffle(this.ids, ThreadLocalRandom.current());
            // Counted from the first call: a call that hung is not repeated, whatever it has thrown in the end.
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

        /** Asks for all users but the probes. If a probe has failed, its row may have been the reason. */
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

        /** Asks for the halves of the failed parts, the largest part first. */
        private void narrow(List<K> failed) throws Exception {
            Queue<List<K>> parts = new ArrayDeque<>();
            parts.add(failed);
            for (List<K> part = parts.poll(); part != null; part = parts.poll()) {
                List<K> first = part.subList(0, part.size() / 2);
                List<K> second = part.subList(part.size() / 2, part.size());
                boolean isFirstAnswered = first.isEmpty() || askOrDivide(first, parts);
                if (isFirstAnswered && second.size() > 1) {
                    parts.add(second); // It would fail as a whole: the reason is not in the other half.
                } else {
                    askOrDivide(second, parts);
                }
            }
        }

        /** Whether a part has been answered. A failed part is added to the parts that are still to be divided, if it has two users. */
        private boolean askOrDivide(List<K> part, Queue<List<K>> parts) throws Exception {
            boolean answered = mayGoOn() && ask(part);
            if (!answered && part.size() > 1 && mayGoOn()) {
                parts.add(part);
            }
            return answered;
        }

        private boolean mayGoOn() {
            return !isOver && repeated < MAX_REPEATED && nanoTime.getAsLong() - until < 0;
        }

        /** Whether the source has answered for a part. Users without an answer keep their latest failure. */
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
