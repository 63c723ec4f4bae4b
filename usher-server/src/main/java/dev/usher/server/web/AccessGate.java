package dev.usher.server.web;

import dev.usher.RateLimitedLog;
import dev.usher.UserCache;
import dev.usher.UserUnavailableException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Access;
import dev.usher.server.token.Roles;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.context.SecurityContext;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Judges the token of a caller whom the status gate has let pass: it refuses a token that has ended, and lets the rest of the request decide
 * by the user's roles, not by those that the token claims. If they are unavailable, the request does not pass.
 */
final class AccessGate extends OncePerRequestFilter {

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(AccessGate.class));
    private final UserCache<Long, Access> accesses;
    private final ProblemResponses problems;

    AccessGate(UserCache<Long, Access> accesses, ProblemResponses problems) {
        this.accesses = accesses;
        this.problems = problems;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        SecurityContext context = SecurityContextHolder.getContext();
        if (context.getAuthentication() instanceof JwtAuthenticationToken caller) {
            ProblemType refusal = judge(caller, context);
            if (refusal != null) {
                problems.send(response, refusal);
                return;
            }
        }
        chain.doFilter(request, response);
    }

    private @Nullable ProblemType judge(JwtAuthenticationToken caller, SecurityContext context) {
        Jwt token = caller.getToken();
        try {
            Optional<Access> access = accesses.find(Long.valueOf(token.getSubject()));
            if (access.isPresent() && !access.get().honours(token)) {
                return ProblemType.UNAUTHENTICATED;
            }
            // Without a user, as of another service that the status gate lets pass, there are no roles.
            List<String> roles = access.map(Access::roles).orElse(List.of());
            JwtAuthenticationToken judged =
                    new JwtAuthenticationToken(token, Roles.authorities(roles), caller.getName());
            judged.setDetails(caller.getDetails());
            context.setAuthentication(judged);
            return null;
        } catch (UserUnavailableException e) {
            log.warn("Answered 503: {}", e.getMessage());
            return ProblemType.UNAVAILABLE;
        }
    }
}
