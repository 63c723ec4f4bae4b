package dev.usher.spring;

import java.util.Collection;

/**
 * Maps the id of a user to the names of its principal: the way back of {@link CurrentUserId}.
 *
 * <p>Spring Session finds the sessions of a user by such a name, so that they are ended when the user is revoked. Without a bean of
 * this type, the text of the id is the name.
 *
 * <pre>{@code
 * @Bean
 * PrincipalNames<Long> principalNames(Accounts accounts) {
 *     return id -> accounts.loginNamesOf(id);
 * }
 * }</pre>
 *
 * <p>It is called for each revoked user, by a thread of usher's own. A session that it finds is ended only if {@link CurrentUserId} says
 * that its authentication is this user's.
 *
 * @param <K> the type of a user's id
 */
@FunctionalInterface
public interface PrincipalNames<K> {

    /**
     * The names under which a user logs in.
     *
     * @return none, if the user has no sessions
     */
    Collection<String> of(K id);
}
