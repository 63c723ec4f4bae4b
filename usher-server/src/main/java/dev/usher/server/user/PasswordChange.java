package dev.usher.server.user;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.usher.server.problem.Problem;
import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.NotNull;

/** The request for another password. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record PasswordChange(
        @NotNull(message = Problem.Field.REQUIRED) @Utf8Size(max = 72)
        String oldPassword,

        @Schema(
                description = "8 to 72 bytes in UTF-8; neither blank, nor one character only, nor the mobile number",
                maxLength = 72,
                pattern = Characters.SECRET)
        @NotNull(message = Problem.Field.REQUIRED) @Utf8Size(min = 8, max = 72)
        @Text(kind = Text.Kind.SECRET)
        String newPassword) {

    @Override
    public String toString() {
        return "PasswordChange[]";
    }
}
