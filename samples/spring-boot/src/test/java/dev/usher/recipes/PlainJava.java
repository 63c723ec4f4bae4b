package dev.usher.recipes;

import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import java.util.Optional;

/** The caches without any framework. */
final class PlainJava {

    private PlainJava() {}

    static String greet(String redis, UserSource<Long, UserProfile> source) {
        try (UserCaches caches = UserCaches.builder().redis(redis).build()) {
            var profiles = new UserProfileCache<>(caches.cache(UserProfile.FACET, Long.class, source));

            Optional<UserProfile> ann = profiles.find(42L);
            return ann.map(profile -> "Hello, " + profile.name()).orElse("Who are you?");
        }
    }
}
