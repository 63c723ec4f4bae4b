package dev.usher.server.problem;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.net.URI;
import java.util.List;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;

/**
 * The body of an error: {@code application/problem+json} of RFC 9457. It quotes nothing of the request but the names of fields.
 *
 * @param type what went wrong, for programs
 * @param title what went wrong, for people
 * @param status the status of the response
 * @param errors the fields at fault, if any
 */
public record Problem(
        URI type,
        String title,
        int status,
        @JsonInclude(JsonInclude.Include.NON_EMPTY) List<Field> errors) {

    /**
     * A field at fault.
     *
     * @param field its name
     * @param detail what it should be
     */
    public record Field(String field, String detail) {

        /** The detail of a field that is missing. */
        public static final String REQUIRED = "is required";
    }

    public static Problem of(ProblemType type, Field... errors) {
        return new Problem(type.uri(), type.title(), type.status().value(), List.of(errors));
    }

    /** The problem that stands for a status. */
    public static Problem of(HttpStatusCode status) {
        return switch (status.value()) {
            case 400 -> of(ProblemType.MALFORMED_REQUEST);
            case 401 -> of(ProblemType.UNAUTHENTICATED);
            case 403 -> of(ProblemType.FORBIDDEN);
            case 404 -> of(ProblemType.NOT_FOUND);
            case 405 -> of(ProblemType.METHOD_NOT_ALLOWED);
            case 406 -> of(ProblemType.NOT_ACCEPTABLE);
            case 408 -> of(ProblemType.REQUEST_TIMEOUT);
            case 413 -> of(ProblemType.BODY_TOO_LARGE);
            case 415 -> of(ProblemType.UNSUPPORTED_MEDIA_TYPE);
            case 500 -> of(ProblemType.INTERNAL_ERROR);
            case 503 -> of(ProblemType.UNAVAILABLE);
            default -> {
                HttpStatus known = HttpStatus.resolve(status.value());
                String title = known == null ? "Status " + status.value() : known.getReasonPhrase();
                yield new Problem(URI.create("about:blank"), title, status.value(), List.of());
            }
        };
    }
}
