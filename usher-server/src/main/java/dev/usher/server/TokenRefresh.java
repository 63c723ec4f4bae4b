package dev.usher.server;

import jakarta.validation.constraints.NotBlank;

/** What a user sends for a new pair of tokens. */
record TokenRefresh(
        @NotBlank(message = Registration.REQUIRED) String freshToken) {

    @Override
    public String toString() {
        return "TokenRefresh[]";
    }
}
