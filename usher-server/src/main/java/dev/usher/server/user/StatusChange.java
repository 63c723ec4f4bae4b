package dev.usher.server.user;

import dev.usher.UserStatus;
import dev.usher.server.problem.Problem;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import java.util.Locale;

/** The request to enable or disable a user. */
public record StatusChange(
        @NotNull(message = Problem.Field.REQUIRED) @Pattern(regexp = "enabled|disabled", message = "must be \"enabled\" or \"disabled\"") String status) {

    UserStatus value() {
        return UserStatus.valueOf(status.toUpperCase(Locale.ROOT));
    }
}
