package dev.usher.spring;

import dev.usher.UserCache;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.Authentication;

/**
 * Parses the name of the principal as the user's id. A name that is not an id belongs to no user. Neither does another spelling
 * of a number, such as {@code +42} or {@code 042}: it may be the name of another principal.
 */
final class NameAsUserId<K> implements CurrentUserId<K> {

    private static final Logger log = LoggerFactory.getLogger(NameAsUserId.class);

    private final UserCache<K, ?> cache;
    private final AtomicBoolean warned = new AtomicBoolean();

    /**
     * Parses ids of a cache.
     *
     * @param cache knows the format of the ids
     */
    NameAsUserId(UserCache<K, ?> cache) {
        this.cache = cache;
    }

    @Override
    public Optional<K> of(Authentication authentication) {
        try {
            K id = cache.idOf(authentication.getName());
            if (!(id instanceof Number) || id.toString().equals(authentication.getName())) {
                return Optional.of(id);
            }
        } catch (IllegalArgumentException e) {
            // Logged below.
        }
        if (warned.compareAndSet(false, true)) {
            // The log line omits the name: it may be a mobile number.
            log.warn(
                    "The name of an authentication is not a user's id: its caller is not taken for a user; this is logged only once."
                            + " Where names are not ids, declare a bean of type dev.usher.spring.CurrentUserId, which returns the id of"
                            + " the authenticated user");
        }
        return Optional.empty();
    }
}
