package dev.usher.server.user;

import dev.usher.UserProfile;
import dev.usher.UserStatus;
import dev.usher.server.token.Access;

/** The row of a user as a login reads it, with what its tokens are judged by. */
public record Account(long id, String passwordHash, UserProfile profile, UserStatus status, Access access) {

    @Override
    public String toString() {
        return "Account[id=" + id + "]";
    }
}
