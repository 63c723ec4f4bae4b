package dev.usher.spring;

import dev.usher.UserCache;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.Authentication;

/** Takes the name of the principal for the text of the user's id. A name that is none belongs to nobody. */
final class NameAsUserId<K> implements CurrentUserId<K> {

    private static final Logger log = LoggerFactory.getLogger(NameAsUserId.class);

    private final UserCache<K, ?> cache;
    private final AtomicBoolean warned = new AtomicBoolean();

    /**
     * For the ids of a cache.
     *
     * @param cache knows what they look like
     */
    NameAsUserId(UserCache<K, ?> cache) {
        this.cache = cache;
    }

    @Override
    public Optional<K> of(Authentication authentication) {
        try {
            return Optional.of(cache.idOf(authentication.getName()));
        } catch (IllegalArgumentException e) {
            if (warned.compareAndSet(false, true)) {
                // Without the name: it may be a mobile number.
                log.warn(
                        "Somebody is authenticated whose name is not the id of a user, and is treated as a user who does not"
                                + " exist; it is said only this once. Where names are not ids, declare a bean of type"
                                + " dev.usher.spring.CurrentUserId, which says whose authentication it is");
            }
            return Optional.empty();
        }
    }
}
