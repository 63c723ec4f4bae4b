package dev.usher.recipes;

import dev.usher.Both;
import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.util.Optional;

/** A profile and a status, read with one call of Redis. */
record TwoFacetsAtOnce(UserCache<Long, UserProfile> profiles, UserCache<Long, UserStatus> statuses) {

    Optional<UserProfile> ofEnabled(long id) {
        Both<UserProfile, UserStatus> both = profiles.findWith(id, statuses);
        return both.second().filter(status -> status == UserStatus.ENABLED).flatMap(enabled -> both.first());
    }
}
