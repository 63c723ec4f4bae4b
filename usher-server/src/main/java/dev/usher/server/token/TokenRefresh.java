package dev.usher.server.token;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.usher.server.problem.Problem;
import jakarta.validation.constraints.NotBlank;

/** What a user sends for a new pair of tokens. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record TokenRefresh(
        @NotBlank(message = Problem.Field.REQUIRED) String freshToken) {

    @Override
    public String toString() {
        return "TokenRefresh[]";
    }
}
