package dev.usher.spring;

import java.util.List;
import java.util.stream.Collectors;

/** There are {@link CurrentUser} parameters that would not be filled with the current user. */
final class UnservedCurrentUserException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /**
     * Such a parameter.
     *
     * @param name its method and position
     * @param reason why it would not be the current user
     */
    record Parameter(String name, String reason) {

        @Override
        public String toString() {
            return name + ": " + reason;
        }
    }

    UnservedCurrentUserException(List<Parameter> parameters) {
        super(parameters.stream().map(Parameter::toString).sorted().collect(Collectors.joining("; ")));
    }
}
