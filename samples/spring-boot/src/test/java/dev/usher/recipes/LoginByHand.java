package dev.usher.recipes;

import dev.usher.ReadMark;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.Optional;
import java.util.function.Function;

/** A login that passes the row it has read to the caches. */
@SuppressWarnings("FutureReturnValueIgnored") // an offer that does not matter to the login
final class LoginByHand {

    private final UserProfileCache<Long> profiles;
    private final UserStatusCache<Long> statuses;

    LoginByHand(UserProfileCache<Long> profiles, UserStatusCache<Long> statuses) {
        this.profiles = profiles;
        this.statuses = statuses;
    }

    record Account(long id, UserProfile profile, UserStatus status) {}

    Optional<Account> login(String mobile, Function<String, Optional<Account>> findByMobile) {
        ReadMark mark = profiles.beforeRead();
        Optional<Account> found = findByMobile.apply(mobile);
        found.ifPresent(account -> {
            profiles.saveAsync(account.id(), account.profile(), mark);
            statuses.saveAsync(account.id(), account.status(), mark);
        });
        return found;
    }
}
