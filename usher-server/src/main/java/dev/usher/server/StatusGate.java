package dev.usher.server;

import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.filter.OncePerRequestFilter;

/** Lets an authenticated caller pass only while the user is enabled, whatever the token says. When in doubt, nobody. */
final class StatusGate extends OncePerRequestFilter {

    private static final Logger log = LoggerFactory.getLogger(StatusGate.class);

    private final UserStatusCache<Long> statuses;
    private final ProblemResponses problems;

    StatusGate(UserStatusCache<Long> statuses, ProblemResponses problems) {
        this.statuses = statuses;
        this.problems = problems;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        if (SecurityContextHolder.getContext().getAuthentication() instanceof JwtAuthenticationToken token) {
            boolean enabled;
            try {
                enabled = statuses.isEnabled(Caller.of(token).id());
            } catch (UserUnavailableException e) {
                log.warn("Answered 503: {}", e.getMessage());
                problems.send(response, ProblemType.UNAVAILABLE);
                return;
            }
            if (!enabled) {
                problems.send(response, ProblemType.ACCOUNT_DISABLED);
                return;
            }
        }
        chain.doFilter(request, response);
    }
}
