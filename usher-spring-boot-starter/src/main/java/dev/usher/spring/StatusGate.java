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
 * Lets an authenticated user pass only while enabled, whatever a token or a session says. A caller that is no user passes only with
 * a {@link StatusGatePass}. A request without authentication passes, for Spring Security to judge. When the status cannot be known,
 * no request passes.
 *
 * @param <K> the type of a user's id
 */
final class StatusGate<K> extends OncePerRequestFilter {

    /** The id of the user who has passed with this request. */
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
     * @param pass says which callers that are no users pass
     * @param excluded the requests that are not judged
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
            // The rest of a request that has passed: the user has been told so, and half an answer helps nobody.
            if (id != null && id.equals(request.getAttribute(PASSED))) {
                return null;
            }
            UserStatus status = id == null ? null : statuses.find(id).orElse(null);
            if (status == UserStatus.DISABLED) {
                return Refusal.ACCOUNT_DISABLED;
            }
            // Asked only now: an authority or a pass says nothing for a user who is disabled.
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

    /** An excluded request could be dispatched to an address that is not. */
    @Override
    protected boolean shouldNotFilterAsyncDispatch() {
        return false;
    }
}
