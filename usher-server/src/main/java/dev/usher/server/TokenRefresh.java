package dev.usher.server;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import jakarta.validation.constraints.NotBlank;

/** What a user sends for a new pair of tokens. */
@JsonIgnoreProperties(ignoreUnknown = true)
record TokenRefresh(
        @NotBlank(message = Registration.REQUIRED) String freshToken) {

    @Override
    public String toString() {
        return "TokenRefresh[]";
    }
}
