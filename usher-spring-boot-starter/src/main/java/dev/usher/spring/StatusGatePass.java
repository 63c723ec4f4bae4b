package dev.usher.spring;

import org.springframework.security.core.Authentication;

/**
 * Lets callers that are not users pass the status gate, such as another service with a client-credentials token.
 *
 * <pre>{@code
 * @Bean
 * StatusGatePass services() {
 *     return authentication -> authentication instanceof JwtAuthenticationToken token
 *             && token.getToken().hasClaim("client_id");
 * }
 * }</pre>
 *
 * <p>The gate asks each bean of this type, and only for a caller that is not a user. A disabled user never passes.
 *
 * <p>It is called for each such request, by many threads.
 */
@FunctionalInterface
public interface StatusGatePass {

    /**
     * Whether a caller that is not a user may pass.
     *
     * @param authentication never missing and never anonymous
     */
    boolean mayPass(Authentication authentication);
}
