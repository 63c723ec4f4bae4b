package dev.usher.server.web;

import dev.usher.server.problem.ProblemType;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.web.filter.OncePerRequestFilter;

/** Answers requests whose body {@link BodyReader} refused or did not get in time. */
final class BodyLimit extends OncePerRequestFilter {

    private final ProblemResponses problems;

    BodyLimit(ProblemResponses problems) {
        this.problems = problems;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        if (request.getAttribute(BodyReader.PROBLEM) instanceof ProblemType problem) {
            problems.send(response, problem);
            return;
        }
        chain.doFilter(request, response);
    }
}
