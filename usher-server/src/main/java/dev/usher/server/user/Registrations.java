package dev.usher.server.user;

import dev.usher.ReadMark;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.server.Commits;
import dev.usher.server.token.Roles;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.springframework.stereotype.Component;

/** Adds users, and tells the caches of them. */
@Component
final class Registrations {

    private final Users users;
    private final Commits commits;
    private final Passwords passwords;
    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;

    Registrations(
            Users users,
            Commits commits,
            Passwords passwords,
            UserProfileCache<Long> profiles,
            UserStatusCache<Long> statuses) {
        this.users = users;
        this.commits = commits;
        this.passwords = passwords;
        this.profiles = profiles;
        this.statuses = statuses;
    }

    /**
     * Adds a user.
     *
     * @return the id, or empty when the mobile number is taken
     * @throws BusyException when too many passwords are hashed already
     */
    OptionalLong register(Registration registration) {
        String hash = passwords.hash(registration.password());
        return tellCaches(registration.profile(), () -> users.add(registration.profile(), hash));
    }

    /**
     * Adds a user with the role of an administrator, unless there is an administrator already.
     *
     * @return the id, or empty when there is an administrator or the mobile number is taken
     */
    OptionalLong registerFirstAdministrator(Registration registration) {
        return tellCaches(
                registration.profile(),
                () -> users.addFirst(
                        Roles.ADMIN, registration.profile(), () -> passwords.hashNow(registration.password())));
    }

    /**
     * Commits an insertion, and caches the user. The id may have been asked for before it existed, so that its absence is cached.
     *
     * @param insertion adds the user, inside the transaction
     */
    private OptionalLong tellCaches(UserProfile profile, Supplier<OptionalLong> insertion) {
        ReadMark mark = profiles.beforeRead();
        AtomicLong inserted = new AtomicLong();
        OptionalLong id = commits.commit(
                () -> {
                    OptionalLong added = insertion.get();
                    added.ifPresent(inserted::set);
                    return added;
                },
                () -> {
                    if (inserted.get() > 0) {
                        profiles.forget(inserted.get());
                    }
                });
        id.ifPresent(added -> {
            // An offer first: where nothing is cached, a fence would only keep the next login from caching its row.
            CompletableFuture<Boolean> profileStored = profiles.saveAsync(added, profile, mark);
            CompletableFuture<Boolean> statusStored = statuses.saveAsync(added, UserStatus.ENABLED, mark);
            if (!profileStored.join() || !statusStored.join()) {
                profiles.forget(added);
            }
        });
        return id;
    }
}
