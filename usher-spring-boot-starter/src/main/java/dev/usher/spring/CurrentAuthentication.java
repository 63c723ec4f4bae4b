package dev.usher.spring;

import java.util.Optional;
import org.springframework.security.authentication.AuthenticationTrustResolver;
import org.springframework.security.authentication.AuthenticationTrustResolverImpl;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContextHolderStrategy;

/** The authentication of the request at hand, if there is one that is not anonymous. */
final class CurrentAuthentication {

    private final SecurityContextHolderStrategy contexts;
    private final AuthenticationTrustResolver trust = new AuthenticationTrustResolverImpl();

    CurrentAuthentication(SecurityContextHolderStrategy contexts) {
        this.contexts = contexts;
    }

    Optional<Authentication> find() {
        return Optional.ofNullable(contexts.getContext().getAuthentication()).filter(trust::isAuthenticated);
    }
}
