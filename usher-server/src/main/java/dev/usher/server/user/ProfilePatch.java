package dev.usher.server.user;

import com.fasterxml.jackson.annotation.JsonCreator;
import tools.jackson.databind.JsonNode;

/** The request for a change of the own profile: a JSON merge patch (RFC 7396), in which a missing field is not a null one. */
public record ProfilePatch(JsonNode fields) {

    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public ProfilePatch {}

    @Override
    public String toString() {
        return "ProfilePatch[]";
    }
}
