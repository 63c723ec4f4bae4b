package dev.usher.spring;

import java.util.Collection;
import java.util.List;

/** A table cannot be read as the settings, or a {@link JdbcUserSource}, say. Its message names what differs, and no value. */
final class UnfitUsersTableException extends RuntimeException {

    private static final long serialVersionUID = 1;

    @SuppressWarnings("serial") // the lists of the JDK are
    private final List<String> problems;

    /** Of one or more problems. Those that several sources have in common are said once. */
    UnfitUsersTableException(Collection<String> problems) {
        super(String.join("; ", problems.stream().distinct().toList()));
        this.problems = problems.stream().distinct().toList();
    }

    List<String> problems() {
        return problems;
    }
}
