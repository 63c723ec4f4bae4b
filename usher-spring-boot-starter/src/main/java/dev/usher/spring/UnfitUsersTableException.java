package dev.usher.spring;

import java.util.Collection;
import java.util.List;

/**
 * A table cannot be read as the settings or a {@link JdbcUserSource} describe it. The message names the differences, and no
 * value.
 */
final class UnfitUsersTableException extends RuntimeException {

    private static final long serialVersionUID = 1;

    @SuppressWarnings("serial") // the lists of the JDK are serializable
    private final List<String> problems;

    /** An exception with one or more problems. A problem that several sources share appears once. */
    UnfitUsersTableException(Collection<String> problems) {
        super(String.join("; ", problems.stream().distinct().toList()));
        this.problems = problems.stream().distinct().toList();
    }

    List<String> problems() {
        return problems;
    }
}
