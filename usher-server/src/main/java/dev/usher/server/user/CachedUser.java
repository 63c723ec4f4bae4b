package dev.usher.server.user;

import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import dev.usher.spring.CacheView;

/** The entries of a user in the memory of this node and in Redis, and the values in the database. */
public record CachedUser(long id, CacheView profile, CacheView status) {

    static CachedUser of(long id, UserProfileCache<Long> profiles, UserStatusCache<Long> statuses) {
        return new CachedUser(id, CacheView.of(profiles.explain(id)), CacheView.of(statuses.explain(id)));
    }
}
