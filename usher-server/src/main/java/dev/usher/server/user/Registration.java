package dev.usher.server.user;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.usher.UserProfile;
import dev.usher.server.problem.Problem;
import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.AssertFalse;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;
import org.jspecify.annotations.Nullable;

/** The request for a new user. */
@HardToGuess
@JsonIgnoreProperties(ignoreUnknown = true)
public record Registration(
        @NotNull(message = Problem.Field.REQUIRED) @Pattern(regexp = MOBILE, message = MOBILE_RULE) String mobile,

        @Schema(
                description = "8 to 72 bytes in UTF-8; neither blank, nor one character only, nor the mobile number",
                maxLength = 72,
                pattern = Characters.SECRET)
        @NotNull(message = Problem.Field.REQUIRED) @Utf8Size(min = 8, max = 72)
        @Text(kind = Text.Kind.SECRET)
        String password,

        @Schema(
                description = "Not blank. Joiners and variation selectors only where they are part of how a name or an"
                        + " emoji is written.",
                minLength = 1,
                maxLength = 64,
                pattern = Characters.LINE)
        @NotNull(message = Problem.Field.REQUIRED) @Text(max = 64, blank = false)
        String name,

        @Schema(maxLength = 512, pattern = Characters.LINE) @Text(max = 512) @Nullable String photo,

        @Schema(description = "False, if it is sent: administrators grant it.")
        @AssertFalse(message = Grants.RULE) @Nullable Boolean isMedia,

        @Schema(maxLength = 1000, pattern = Characters.LINES) @Text(kind = Text.Kind.LINES, max = 1000) @Nullable String intro,

        @Schema(description = "Empty, if it is sent: administrators grant it.", maxLength = 0)
        @Size(max = 0, message = Grants.RULE) @Nullable String certi) {

    public static final String MOBILE = "\\+?[0-9]{6,15}";
    public static final String MOBILE_RULE = "must be 6 to 15 digits, with or without a leading +";

    /** The profile of the new user. */
    UserProfile profile() {
        return UserProfile.ofNullable(mobile, name, photo, false, intro, null);
    }

    @Override
    public String toString() {
        return "Registration[]";
    }
}
