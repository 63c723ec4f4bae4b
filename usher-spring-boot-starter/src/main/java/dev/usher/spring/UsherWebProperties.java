package dev.usher.spring;

import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The settings under {@code usher.web}: how usher treats the requests of a web application.
 *
 * @param currentUser Where the current user comes from: the authentication of Spring Security, or none, for an application that uses
 *     the caches alone, without @CurrentUser and without the status gate.
 * @param statusGate Requests that are refused because of their caller.
 * @param revocation What is ended when a user is revoked.
 */
@ConfigurationProperties("usher.web")
public record UsherWebProperties(
        @DefaultValue("authentication") CurrentUserFrom currentUser,
        @DefaultValue StatusGate statusGate,
        @DefaultValue Revocation revocation) {

    /** Where the current user comes from. */
    public enum CurrentUserFrom {
        /** The authentication of Spring Security. */
        AUTHENTICATION,
        /** Nowhere: the application uses the caches alone. */
        NONE;

        static CurrentUserFrom of(Binder binder) {
            return binder.bind("usher.web.current-user", CurrentUserFrom.class).orElse(AUTHENTICATION);
        }
    }

    /**
     * Requests that are refused because of their caller.
     *
     * @param enabled Whether disabled users, and callers that are not users, are refused on every authenticated request.
     * @param excludedPaths Patterns of the paths, below the context path, at which the gate refuses no caller.
     * @param passAuthorities Authorities, such as SCOPE_billing or ROLE_OPERATOR, with which a caller that is not a user
     *     passes.
     */
    public record StatusGate(
            @DefaultValue("true") boolean enabled,
            @DefaultValue List<String> excludedPaths,
            @DefaultValue List<String> passAuthorities) {

        public StatusGate {
            excludedPaths = List.copyOf(excludedPaths);
            passAuthorities = List.copyOf(passAuthorities);
        }
    }

    /**
     * What is ended when a user is revoked, and may not act any more.
     *
     * @param endConnections Whether the user's WebSocket and STOMP sessions and asynchronous requests, such as server-sent events, are
     *     ended.
     * @param endSessions Whether the user's sessions are ended: those of Spring Session by the node that revokes the user, and any
     *     session in which a disabled user comes to the gate.
     */
    public record Revocation(
            @DefaultValue("true") boolean endConnections,
            @DefaultValue("true") boolean endSessions) {}
}
