package dev.usher.server.user;

import com.fasterxml.jackson.annotation.JsonCreator;
import tools.jackson.databind.JsonNode;

/** The request for a change of what is granted to a user: a JSON merge patch (RFC 7396), in which a missing field is not a null one. */
public record GrantPatch(JsonNode fields) {

    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public GrantPatch {}

    @Override
    public String toString() {
        return "GrantPatch[]";
    }
}
