package dev.usher.server.web;

import dev.usher.server.problem.ProblemType;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.util.UriUtils;

/**
 * Refuses a query that cannot be decoded. Code that reads a parameter would get an exception that quotes it, and the container would log
 * that.
 */
final class QueryInUtf8 extends OncePerRequestFilter {

    private final ProblemResponses problems;

    QueryInUtf8(ProblemResponses problems) {
        this.problems = problems;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        if (!isReadable(request.getQueryString())) {
            problems.send(response, ProblemType.MALFORMED_REQUEST);
            return;
        }
        chain.doFilter(request, response);
    }

    private static boolean isReadable(@Nullable String query) {
        if (query == null) {
            return true;
        }
        try {
            // One character for each byte, whatever the bytes mean.
            byte[] bytes = UriUtils.decode(query, StandardCharsets.ISO_8859_1).getBytes(StandardCharsets.ISO_8859_1);
            var unused = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            return true;
        } catch (IllegalArgumentException | CharacterCodingException e) {
            return false;
        }
    }
}
