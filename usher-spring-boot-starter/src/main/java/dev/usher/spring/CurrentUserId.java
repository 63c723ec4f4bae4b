package dev.usher.spring;

import java.util.Optional;
import org.springframework.security.core.Authentication;

/**
 * Maps an authentication of Spring Security to the id of a user.
 *
 * <p>Without a bean of this type, the name of the principal is the id: the {@code sub} of a token, or the user name of a login.
 * If the name is not the id, the application declares its own bean.
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
 * <p>It is called for each request, often more than once, by many threads.
 *
 * @param <K> the type of a user's id
 */
@FunctionalInterface
public interface CurrentUserId<K> {

    /**
     * The id of the authenticated user.
     *
     * @param authentication never missing and never anonymous
     * @return the id, or empty if the caller is not a user, such as another service; the status gate refuses such a caller
     *     unless a {@link StatusGatePass} lets it pass
     */
    Optional<K> of(Authentication authentication);
}
