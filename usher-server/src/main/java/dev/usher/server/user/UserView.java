package dev.usher.server.user;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.usher.UserProfile;

/** A user as a caller sees it: the profile's fields beside the id. */
public record UserView(long id, @JsonUnwrapped UserProfile profile) {}
