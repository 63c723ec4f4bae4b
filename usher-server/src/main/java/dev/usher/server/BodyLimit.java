package dev.usher.server;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.web.filter.OncePerRequestFilter;

/** Refuses a body that says that it is too large, before anything of it is read. One that does not say so, the parser refuses. */
final class BodyLimit extends OncePerRequestFilter {

    private final long bytes;
    private final ProblemResponses problems;

    BodyLimit(long bytes, ProblemResponses problems) {
        this.bytes = bytes;
        this.problems = problems;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        if (request.getContentLengthLong() > bytes) {
            problems.send(response, ProblemType.BODY_TOO_LARGE);
            return;
        }
        chain.doFilter(request, response);
    }
}
