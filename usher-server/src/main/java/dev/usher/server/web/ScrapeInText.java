package dev.usher.server.web;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.security.autoconfigure.actuate.web.servlet.EndpointRequest;
import org.springframework.http.HttpHeaders;
import org.springframework.http.InvalidMediaTypeException;
import org.springframework.http.MediaType;
import org.springframework.security.web.util.matcher.RequestMatcher;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Answers Prometheus' page in text to a scraper that accepts none of its formats, as Prometheus' own clients do: another format is worth more
 * to a machine than 406 (RFC 9110, section 12.5.1).
 */
final class ScrapeInText extends OncePerRequestFilter {

    private static final RequestMatcher PROMETHEUS = EndpointRequest.to("prometheus");
    private static final String ANYTHING_ELSE = "*/*;q=0.001";

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        chain.doFilter(PROMETHEUS.matches(request) ? new AcceptingText(request) : request, response);
    }

    private static final class AcceptingText extends HttpServletRequestWrapper {

        AcceptingText(HttpServletRequest request) {
            super(request);
        }

        @Override
        public @Nullable String getHeader(String name) {
            return HttpHeaders.ACCEPT.equalsIgnoreCase(name) ? accept() : super.getHeader(name);
        }

        @Override
        public Enumeration<String> getHeaders(String name) {
            return HttpHeaders.ACCEPT.equalsIgnoreCase(name)
                    ? Collections.enumeration(List.of(accept()))
                    : super.getHeaders(name);
        }

        private String accept() {
            List<String> said = Collections.list(super.getHeaders(HttpHeaders.ACCEPT));
            try {
                return MediaType.parseMediaTypes(said).isEmpty()
                        ? MediaType.ALL_VALUE
                        : String.join(", ", said) + ", " + ANYTHING_ELSE;
            } catch (InvalidMediaTypeException e) {
                return MediaType.ALL_VALUE;
            }
        }
    }
}
