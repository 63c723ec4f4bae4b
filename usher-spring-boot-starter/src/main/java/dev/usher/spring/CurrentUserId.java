package dev.usher.spring;

import java.util.Optional;
import org.springframework.security.core.Authentication;

/**
 * Whose authentication it is: the way from Spring Security's principal to the id of a user.
 *
 * <p>Without a bean of this type, the name of the principal is the id: the {@code sub} of a token, or the user name of a login.
 * An application declares its own where it is not.
 *
 * <pre>{@code
 * @Bean
 * CurrentUserId<Long> currentUserId() {
 *     return authentication -> authentication.getPrincipal() instanceof Account account
 *             ? Optional.of(account.id())
 *             : Optional.empty();
 * }
 * }</pre>
 *
 * <p>It is asked with each request, often more than once, by many threads.
 *
 * @param <K> the type of a user's id
 */
@FunctionalInterface
public interface CurrentUserId<K> {

    /**
     * The id of the user who is authenticated.
     *
     * @param authentication of somebody: it is neither missing nor anonymous
     * @return the id, or empty when it is no user, such as another service, which the status gate then refuses unless a {@link
     *     StatusGatePass} lets it pass
     */
    Optional<K> of(Authentication authentication);
}
