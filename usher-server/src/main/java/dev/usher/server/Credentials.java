package dev.usher.server;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;

/** What a user sends to log in. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Credentials(
        @NotNull(message = Registration.REQUIRED) @Pattern(regexp = Registration.MOBILE, message = Registration.MOBILE_RULE) String mobile,

        @NotNull(message = Registration.REQUIRED) @Utf8Size(max = 72)
        String password) {

    @Override
    public String toString() {
        return "Credentials[]";
    }
}
