package dev.usher.server;

import dev.usher.UserStatus;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import java.util.Locale;

/** What an administrator sends to enable or disable a user. */
record StatusChange(
        @NotNull(message = Registration.REQUIRED) @Pattern(regexp = "enabled|disabled", message = "must be \"enabled\" or \"disabled\"") String status) {

    UserStatus value() {
        return UserStatus.valueOf(status.toUpperCase(Locale.ROOT));
    }

    /**
     * What a change of a status answers.
     *
     * @param id whose status
     * @param status what it is now
     * @param confirmed whether Redis has taken the change; if not, it is sent again as long as this node lives, and until
     *     then other nodes may honour what the user was: calling again sends it again as well
     */
    record Receipt(long id, String status, boolean confirmed) {}
}
