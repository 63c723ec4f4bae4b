package dev.usher.server.user;

import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import dev.usher.spring.CacheView;

/** What this node's memory, Redis and the database hold of a user. */
public record CachedUser(long id, CacheView profile, CacheView status) {

    static CachedUser of(long id, UserProfileCache<Long> profiles, UserStatusCache<Long> statuses) {
        return new CachedUser(id, CacheView.of(profiles.explain(id)), CacheView.of(statuses.explain(id)));
    }
}
