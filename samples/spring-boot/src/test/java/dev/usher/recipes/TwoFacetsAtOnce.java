package dev.usher.recipes;

import dev.usher.Both;
import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.util.Optional;

/** Who it is and whether they may act, for one call of Redis. */
record TwoFacetsAtOnce(UserCache<Long, UserProfile> profiles, UserCache<Long, UserStatus> statuses) {

    Optional<UserProfile> ofWhoMayAct(long id) {
        Both<UserProfile, UserStatus> both = profiles.findWith(id, statuses);
        return both.second().filter(status -> status == UserStatus.ENABLED).flatMap(enabled -> both.first());
    }
}
