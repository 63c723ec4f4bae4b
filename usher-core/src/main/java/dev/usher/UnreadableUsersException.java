package dev.usher;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A {@link UserSource} could read some of the users that it was asked for, but not the others, whose rows have no valid value. The exception
 * carries the values that were read, and by id the failures of the other users. Only these users are unavailable then.
 *
 * <pre>{@code
 * if (!failures.isEmpty()) {
 *     throw new UnreadableUsersException(found, failures);
 * }
 * return found;
 * }</pre>
 *
 * <p>A user that is in neither map does not exist. When the database itself fails, a source throws that failure and not this
 * exception, since it then knows nothing about any user.
 *
 * <p>It has no stack trace, since the failures have theirs.
 */
public final class UnreadableUsersException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final transient Map<Object, Object> found;
    private final transient Map<Object, Exception> failures;

    /**
     * The result of a load in which some users failed.
     *
     * @param found by id, the values of the users that were read
     * @param failures by id, the failures of the other users; not empty
     * @throws IllegalArgumentException when there is no failure: then a source returns the values
     */
    public UnreadableUsersException(Map<?, ?> found, Map<?, ? extends Exception> failures) {
        super(failures.size() + " users cannot be read", firstOf(failures), false, false);
        this.found = Collections.unmodifiableMap(new LinkedHashMap<>(found));
        this.failures = Collections.unmodifiableMap(new LinkedHashMap<>(failures));
    }

    private static Exception firstOf(Map<?, ? extends Exception> failures) {
        if (failures.isEmpty()) {
            throw new IllegalArgumentException("there is no user that cannot be read");
        }
        return failures.values().iterator().next();
    }

    /** By id, the values of the users that were read. Unmodifiable. */
    public Map<Object, Object> found() {
        return found;
    }

    /** By id, the failures of the other users. Unmodifiable. */
    public Map<Object, Exception> failures() {
        return failures;
    }
}
