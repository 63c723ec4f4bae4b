package dev.usher.spring;

import dev.usher.RateLimitedLog;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContext;
import org.springframework.security.web.context.HttpSessionSecurityContextRepository;
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

    private final RateLimitedLog log = new RateLimitedLog(LoggerFactory.getLogger(StatusGate.class));
    private final CurrentAuthentication authentication;
    private final CurrentUserId<K> ids;
    private final UserStatusCache<K> statuses;
    private final StatusGatePass pass;
    private final RequestMatcher excluded;
    private final @Nullable UserConnections<K> connections;
    private final boolean endsSessions;

    /**
     * A gate.
     *
     * @param pass decides which callers that are not users pass
     * @param excluded the requests that are not checked
     * @param connections where asynchronous requests are registered, if they are ended when their user is revoked
     * @param endsSessions whether the HTTP session of a disabled user is ended
     */
    StatusGate(
            CurrentAuthentication authentication,
            CurrentUserId<K> ids,
            UserStatusCache<K> statuses,
            StatusGatePass pass,
            RequestMatcher excluded,
            @Nullable UserConnections<K> connections,
            boolean endsSessions) {
        this.authentication = authentication;
        this.ids = ids;
        this.statuses = statuses;
        this.pass = pass;
        this.excluded = excluded;
        this.connections = connections;
        this.endsSessions = endsSessions;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        Refusal refusal = judge(request);
        if (refusal == null) {
            pass(request, response, chain);
        } else {
            if (refusal == Refusal.ACCOUNT_DISABLED) {
                endSession(request);
            }
            EndableResponse ended = EndableResponse.within(response);
            refusal.send(ended == null ? response : ended.unguarded());
        }
    }

    private void pass(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        if (connections == null) {
            chain.doFilter(request, response);
            return;
        }
        EndableResponse known = EndableResponse.within(response);
        EndableResponse endable = known == null ? new EndableResponse(response) : known;
        chain.doFilter(request, known == null ? endable : response);
        // What goes on after this thread cannot end before this thread has returned to the container.
        Passage<K> passage = request.isAsyncStarted() ? passageOf(request) : null;
        if (passage != null && passage.isOfUser()) {
            OpenRequest.register(passage, request.getAsyncContext(), endable, connections);
        }
    }

    /** Ends the session that the caller was authenticated by. */
    private void endSession(HttpServletRequest request) {
        HttpSession session = endsSessions ? request.getSession(false) : null;
        if (session != null
                && authentication.find().filter(caller -> isOf(session, caller)).isPresent()) {
            session.invalidate();
        }
    }

    private static boolean isOf(HttpSession session, Authentication caller) {
        return session.getAttribute(HttpSessionSecurityContextRepository.SPRING_SECURITY_CONTEXT_KEY)
                        instanceof SecurityContext context
                && caller.equals(context.getAuthentication());
    }

    private @Nullable Refusal judge(HttpServletRequest request) {
        Passage<K> passage = passageOf(request);
        if (passage != null && passage.refusal() != null) {
            return passage.refusal();
        }
        Optional<Authentication> caller = authentication.find();
        if (caller.isEmpty()) {
            return null;
        }
        try {
            K id = ids.of(caller.get()).orElse(null);
            // A later dispatch of a request that has passed: refusing it now would leave a half-written response.
            if (id != null && passage != null && id.equals(passage.id())) {
                return null;
            }
            long revocations = connections == null ? 0 : connections.revocations();
            UserStatus status = id == null ? null : statuses.find(id).orElse(null);
            if (status == UserStatus.DISABLED) {
                return Refusal.ACCOUNT_DISABLED;
            }
            // Asked only now: neither an authority nor a pass helps a disabled user.
            if (status == null && !pass.mayPass(caller.get())) {
                return Refusal.NOT_A_USER;
            }
            request.setAttribute(
                    Passage.ATTRIBUTE,
                    id == null ? null : new Passage<>(id, status == UserStatus.ENABLED, revocations));
            return null;
        } catch (UserUnavailableException e) {
            log.warn("Answered 503: {}", e.getMessage());
            return Refusal.UNAVAILABLE;
        }
    }

    @SuppressWarnings("unchecked") // Only the gate sets it, and all users of an application have the same type of ids.
    private @Nullable Passage<K> passageOf(HttpServletRequest request) {
        return (Passage<K>) request.getAttribute(Passage.ATTRIBUTE);
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
