package dev.usher.recipes;

import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A profile and a status, looked up at the same time. */
record TwoFacetsAtOnce(UserCache<Long, UserProfile> profiles, UserCache<Long, UserStatus> statuses) {

    Optional<UserProfile> ofEnabled(long id) {
        CompletableFuture<Optional<UserStatus>> status = statuses.findAsync(id);
        Optional<UserProfile> profile = profiles.find(id);
        return status.join().filter(found -> found == UserStatus.ENABLED).flatMap(enabled -> profile);
    }
}
