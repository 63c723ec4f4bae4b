package dev.usher.spring;

import java.util.Collection;

/**
 * Learns which users this node revokes.
 *
 * @param <K> the type of a user's id
 */
@FunctionalInterface
interface RevokedIds<K> {

    /**
     * Called before users are revoked.
     *
     * @return called afterwards, whether that has failed or not
     */
    Runnable revoking(Collection<? extends K> ids);
}
