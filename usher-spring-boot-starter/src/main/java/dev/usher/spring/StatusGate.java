package dev.usher.spring;

import dev.usher.RateLimitedLog;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.Authentication;
import org.springframework.security.web.util.matcher.RequestMatcher;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Lets an authenticated user pass only while enabled, whatever a token or a session says. A caller that is not a user passes
 * only with a {@link StatusGatePass}. A request without authentication passes: Spring Security decides on it. If the status is
 * unavailable, the request does not pass.
 *
 * @param <K> the type of a user's id
 */
final class StatusGate<K> extends OncePerRequestFilter {

    /** The request attribute with the id of the user that has passed. */
    private static final String PASSED = StatusGate.class.getName() + ".PASSED";

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(StatusGate.class));
    private final CurrentAuthentication authentication;
    private final CurrentUserId<K> ids;
    private final UserStatusCache<K> statuses;
    private final StatusGatePass pass;
    private final RequestMatcher excluded;

    /**
     * A gate.
     *
     * @param pass decides which callers that are not users pass
     * @param excluded the requests that are not checked
     */
    StatusGate(
            CurrentAuthentication authentication,
            CurrentUserId<K> ids,
            UserStatusCache<K> statuses,
            StatusGatePass pass,
            RequestMatcher excluded) {
        this.authentication = authentication;
        this.ids = ids;
        this.statuses = statuses;
        this.pass = pass;
        this.excluded = excluded;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        Refusal refusal = judge(request);
        if (refusal == null) {
            chain.doFilter(request, response);
        } else {
            refusal.send(response);
        }
    }

    private @Nullable Refusal judge(HttpServletRequest request) {
        Optional<Authentication> caller = authentication.find();
        if (caller.isEmpty()) {
            return null;
        }
        try {
            K id = ids.of(caller.get()).orElse(null);
            // A later dispatch of a request that has passed: refusing it now would leave a half-written response.
            if (id != null && id.equals(request.getAttribute(PASSED))) {
                return null;
            }
            UserStatus status = id == null ? null : statuses.find(id).orElse(null);
            if (status == UserStatus.DISABLED) {
                return Refusal.ACCOUNT_DISABLED;
            }
            // Asked only now: neither an authority nor a pass helps a disabled user.
            if (status == null && !pass.mayPass(caller.get())) {
                return Refusal.NOT_A_USER;
            }
            request.setAttribute(PASSED, id);
            return null;
        } catch (UserUnavailableException e) {
            log.warn("Answered 503: {}", e.getMessage());
            return Refusal.UNAVAILABLE;
        }
    }

    @Override
    protected boolean shouldNotFilter(HttpServletRequest request) {
        return excluded.matches(request);
    }

    /** Asynchronous dispatches are checked too: an excluded request can be dispatched to a path that is not excluded. */
    @Override
    protected boolean shouldNotFilterAsyncDispatch() {
        return false;
    }
}
