package dev.usher;

import dev.usher.Changeable.Finding;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The form of entries in Redis: the bytes of the facet's codec, or JSON's {@code null} for a user that is known to be absent.
 *
 * <p>The first value of a facet shows whether its values can be cached: it is written, read back, and checked for mutable parts. While
 * that fails, values are not cached, and each value is a new trial. Callers share one object: the copy that was read back, of which the
 * source holds no part. The values of the specification are immutable and can always be read back, so callers share the loaded object.
 * Thread-safe.
 */
final class EntryCodec<V> {

    private static final Logger log = LoggerFactory.getLogger(EntryCodec.class);

    private static final byte[] ABSENT = "null".getBytes(StandardCharsets.US_ASCII);

    private final String facet;
    private final FacetCodec<V> codec;
    private final boolean isCopied;
    private final boolean isSpecified;
    private final RateLimitedLog valueLog = new RateLimitedLog(log);

    /** The result of the trials; {@code null} before the first. */
    private final AtomicReference<@Nullable Verdict> verdict = new AtomicReference<>();

    EntryCodec(Facet<V> facet) {
        this.facet = facet.name();
        this.codec = facet.codec();
        this.isCopied = facet.copiedOnRead();
        this.isSpecified = codec.equals(UserProfile.FACET.codec()) || codec.equals(UserStatus.FACET.codec());
    }

    private sealed interface Verdict {

        /**
         * Values can be cached.
         *
         * @param type the class of the value of the trial
         * @param isOpen whether each value has to be checked
         */
        record Fit(Class<?> type, boolean isOpen) implements Verdict {

            private boolean isSure(Object value) {
                return !isOpen && value.getClass() == type;
            }
        }

        /** Values cannot be cached. */
        record Unfit(Misfit misfit) implements Verdict {}
    }

    /**
     * A value that was loaded, ready to be handed out and stored.
     *
     * @param entry for all callers
     * @param bytes for Redis, or {@code null} when the value must neither be stored nor be cached in memory
     */
    @SuppressWarnings("ArrayRecordComponent")
    record Prepared<V>(Entry<V> entry, byte @Nullable [] bytes) {}

    /** The reason for which values are not cached, or {@code null} while none is known. */
    @Nullable String misfit() {
        return verdict.get() instanceof Verdict.Unfit unfit ? unfit.misfit.reason() : null;
    }

    boolean isUnfit() {
        return verdict.get() instanceof Verdict.Unfit;
    }

    /** The value of an entry for one caller. */
    Optional<V> handOut(Entry<V> entry) {
        V value = entry.value();
        boolean copies = isCopied || (verdict.get() instanceof Verdict.Unfit unfit && unfit.misfit.isCopied());
        return Optional.ofNullable(value == null || !copies ? value : copyOf(value));
    }

    /** A copy, or the value itself if it cannot be written: such a value is not cached, so only the waiters of its load share it. */
    V copyOf(V value) {
        try {
            return codec.decode(codec.encode(value));
        } catch (RuntimeException | LinkageError | StackOverflowError e) {
            return value;
        }
    }

    /**
     * The bytes to store for a value, or {@code null} when it cannot be stored.
     *
     * @param key for the log
     */
    byte @Nullable [] encode(String key, V value) {
        return verdict.get() instanceof Verdict.Fit
                ? written(key, value)
                : prepare(key, value).bytes();
    }

    /**
     * Prepares a value that a source has returned.
     *
     * @param key for the log
     * @param value or {@code null} for an absent user
     */
    Prepared<V> prepare(String key, @Nullable V value) {
        if (value == null) {
            return new Prepared<>(new Entry<>(null), ABSENT.clone());
        }
        byte[] bytes = written(key, value);
        if (bytes == null) {
            return new Prepared<>(new Entry<>(value), null);
        }
        if (isSpecified) {
            return new Prepared<>(new Entry<>(value), bytes);
        }
        V read;
        try {
            read = Objects.requireNonNull(codec.decode(bytes));
        } catch (RuntimeException | LinkageError | StackOverflowError e) {
            refuse(key, Misfit.unreadable(typeOf(value), isJson(), e));
            return new Prepared<>(new Entry<>(value), null);
        }
        Misfit misfit = check(read);
        if (misfit != null) {
            refuse(key, misfit);
            return new Prepared<>(new Entry<>(value), null);
        }
        return new Prepared<>(new Entry<>(read), bytes);
    }

    private byte @Nullable [] written(String key, V value) {
        try {
            byte[] bytes = codec.encode(value);
            if (Arrays.equals(bytes, ABSENT)) {
                throw new IllegalArgumentException(
                        "a codec must not encode a value as null, which stands for an absent user");
            }
            return bytes;
        } catch (RuntimeException | LinkageError | StackOverflowError e) {
            refuse(key, Misfit.unwritable(typeOf(value), isJson(), e));
            return null;
        }
    }

    Entry<V> decode(byte[] bytes) throws UnreadableEntryException {
        if (Arrays.equals(bytes, ABSENT)) {
            return new Entry<>(null);
        }
        V value;
        try {
            value = Objects.requireNonNull(codec.decode(bytes));
        } catch (RuntimeException | LinkageError | StackOverflowError e) {
            // The exception is neither the cause nor quoted: the message of a parser shows text of the value.
            throw new UnreadableEntryException(e.getClass().getSimpleName());
        }
        Misfit misfit = check(value);
        if (misfit != null) {
            refuse("an entry", misfit);
            throw new UnreadableEntryException("the value is mutable");
        }
        return new Entry<>(value);
    }

    /** Checks a value that no caller holds yet, unless the values before it have shown that its type is immutable. */
    private @Nullable Misfit check(V read) {
        Verdict before = verdict.get();
        if (before instanceof Verdict.Fit fit && fit.isSure(read)) {
            return null;
        }
        boolean isOpen = false;
        // Each caller gets a copy, so the value may be mutable.
        if (!isCopied) {
            Finding finding = Changeable.check(typeOf(read), read, isJson());
            if (finding.part() != null) {
                return Misfit.changeable(finding.part());
            }
            isOpen = finding.isOpen();
        }
        if (!(before instanceof Verdict.Fit)) {
            if (verdict.compareAndSet(before, new Verdict.Fit(read.getClass(), isOpen)) && before != null) {
                log.info("Values of the facet '{}' are cached from now on", facet);
            }
        }
        return null;
    }

    /** Logs that this value is not cached, if others of the facet are; else that no value of the facet is. */
    private void refuse(String key, Misfit misfit) {
        Verdict before = verdict.get();
        if (before instanceof Verdict.Fit) {
            valueLog.error("The value of {} is not cached: {}", key, misfit.reason());
        } else if (before == null && verdict.compareAndSet(null, new Verdict.Unfit(misfit))) {
            log.error(
                    "Values of the facet '{}' are not cached, and each call asks the source: {}",
                    facet,
                    misfit.reason());
        }
    }

    private boolean isJson() {
        return codec instanceof JsonFacetCodec;
    }

    private Class<?> typeOf(V value) {
        return codec instanceof JsonFacetCodec<V> json ? json.type() : value.getClass();
    }
}
