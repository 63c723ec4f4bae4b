package dev.usher.server;

import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.stereotype.Component;

/** Adds users. */
@Component
final class Registrations {

    private final Users users;
    private final PasswordEncoder passwords;
    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;
    private final InstantSource clock;

    Registrations(
            Users users,
            PasswordEncoder passwords,
            UserProfileCache<Long> profiles,
            UserStatusCache<Long> statuses,
            InstantSource clock) {
        this.users = users;
        this.passwords = passwords;
        this.profiles = profiles;
        this.statuses = statuses;
        this.clock = clock;
    }

    /**
     * Adds a user.
     *
     * @return the id, or empty when somebody has the mobile number already
     */
    OptionalLong register(Registration registration) {
        String hash = hash(registration);
        return tellCaches(registration.profile(), () -> users.add(registration.profile(), hash));
    }

    /**
     * Adds a user with the role of an administrator, unless there is an administrator already.
     *
     * @return the id, or empty when there is one, or somebody has the mobile number already
     */
    OptionalLong registerFirstAdministrator(Registration registration) {
        return tellCaches(
                registration.profile(),
                () -> users.addFirst(Caller.ADMIN, registration.profile(), () -> hash(registration)));
    }

    private String hash(Registration registration) {
        return Objects.requireNonNull(passwords.encode(registration.password()));
    }

    /**
     * Somebody may have asked for the new id before it existed, and then its absence is cached.
     *
     * @param insertion commits before it returns
     */
    private OptionalLong tellCaches(UserProfile profile, Supplier<OptionalLong> insertion) {
        Instant readAt = clock.instant();
        OptionalLong id = insertion.get();
        id.ifPresent(added -> {
            // Offered first: where nothing is cached, a fence would only keep the next login from storing its row.
            if (!profiles.save(added, profile, readAt)) {
                profiles.invalidate(added);
            }
            if (!statuses.save(added, UserStatus.ENABLED, readAt)) {
                statuses.invalidate(added);
            }
        });
        return id;
    }
}
