package dev.usher.server.token;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.usher.server.problem.Problem;
import jakarta.validation.constraints.NotBlank;

/** The request for a new pair of tokens, with the refresh token by its name in JSON. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record TokenRefresh(
        @NotBlank(message = Problem.Field.REQUIRED) String freshToken) {

    @Override
    public String toString() {
        return "TokenRefresh[]";
    }
}
