package dev.usher.server.user;

import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.util.List;

/** The row of a user as a login reads it, with the roles. */
public record Account(long id, String passwordHash, UserProfile profile, UserStatus status, List<String> roles) {

    @Override
    public String toString() {
        return "Account[id=" + id + "]";
    }
}
