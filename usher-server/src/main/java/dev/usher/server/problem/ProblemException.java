package dev.usher.server.problem;

import java.time.Duration;
import org.springframework.http.HttpHeaders;

/** Ends a request with a problem. */
public final class ProblemException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final transient Problem problem;
    private final transient HttpHeaders headers;

    public ProblemException(ProblemType type, Problem.Field... errors) {
        this(type, HttpHeaders.EMPTY, errors);
    }

    private ProblemException(ProblemType type, HttpHeaders headers, Problem.Field... errors) {
        super(type.title(), null, false, false);
        this.problem = Problem.of(type, errors);
        this.headers = headers;
    }

    /** Tells the caller to wait before the next attempt, in whole seconds. */
    public static ProblemException tooManyAttempts(Duration wait) {
        return later(ProblemType.TOO_MANY_ATTEMPTS, wait);
    }

    /** Tells the caller to wait before it reads more profiles of others, in whole seconds. */
    public static ProblemException tooManyReads(Duration wait) {
        return later(ProblemType.TOO_MANY_READS, wait);
    }

    private static ProblemException later(ProblemType type, Duration wait) {
        HttpHeaders headers = new HttpHeaders();
        long seconds = wait.plusSeconds(1).minusNanos(1).toSeconds();
        headers.set(HttpHeaders.RETRY_AFTER, Long.toString(seconds));
        return new ProblemException(type, headers);
    }

    public Problem problem() {
        return problem;
    }

    public HttpHeaders headers() {
        return headers;
    }
}
