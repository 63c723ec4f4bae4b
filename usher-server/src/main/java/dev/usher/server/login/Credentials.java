package dev.usher.server.login;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.usher.server.problem.Problem;
import dev.usher.server.user.Registration;
import dev.usher.server.user.Utf8Size;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;

/** The request for a login. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Credentials(
        @NotNull(message = Problem.Field.REQUIRED) @Pattern(regexp = Registration.MOBILE, message = Registration.MOBILE_RULE) String mobile,

        @NotNull(message = Problem.Field.REQUIRED) @Utf8Size(max = 72)
        String password) {

    @Override
    public String toString() {
        return "Credentials[]";
    }
}
