package dev.usher.cli;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The server's answer to a call of the demo. */
record Answer(String call, int status, String body) {

    private static final JsonMapper MAPPER = new JsonMapper();

    JsonNode json() {
        return MAPPER.readTree(body);
    }

    /**
     * Returns this answer.
     *
     * @throws CommandException when it has another status
     */
    Answer with(int expected) {
        if (status != expected) {
            throw new CommandException(call + " was answered with " + status + " instead of " + expected + ": " + body);
        }
        return this;
    }

    /** Whether the server refused a disabled user. */
    boolean refusesDisabled() {
        return status == 403
                && "urn:usher:problem:account-disabled"
                        .equals(json().path("type").asString());
    }
}
