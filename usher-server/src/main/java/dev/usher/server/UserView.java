package dev.usher.server;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.usher.UserProfile;

/** A user as a caller sees it: the profile's fields beside the id. */
record UserView(long id, @JsonUnwrapped UserProfile profile) {}
