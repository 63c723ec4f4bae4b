package dev.usher.server;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import dev.usher.UserProfile;
import io.swagger.v3.oas.annotations.media.Schema;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;
import org.jspecify.annotations.Nullable;

/** What a new user sends. */
@JsonIgnoreProperties(ignoreUnknown = true)
record Registration(
        @NotNull(message = Registration.REQUIRED) @Pattern(regexp = MOBILE, message = MOBILE_RULE) String mobile,

        @Schema(description = "8 to 72 bytes in UTF-8", maxLength = 72)
        @NotNull(message = Registration.REQUIRED) @Utf8Size(min = 8, max = 72)
        @Pattern(regexp = LINE, message = LINE_RULE) String password,

        @NotBlank(message = "may not be blank") @Size(max = 64, message = "may have 64 characters at most") @Pattern(regexp = LINE, message = LINE_RULE) String name,

        @Size(max = 512, message = "may have 512 characters at most") @Pattern(regexp = LINE, message = LINE_RULE) @Nullable String photo,

        @Nullable Boolean isMedia,

        @Size(max = 1000, message = "may have 1000 characters at most") @Pattern(regexp = LINES, message = LINE_RULE) @Nullable String intro,

        @Size(max = 200, message = "may have 200 characters at most") @Pattern(regexp = LINE, message = LINE_RULE) @Nullable String certi) {

    static final String REQUIRED = "is required";
    static final String MOBILE = "\\+?[0-9]{6,15}";
    static final String MOBILE_RULE = "must be 6 to 15 digits, with or without a leading +";

    /** Neither control characters nor halves of surrogate pairs, which the database would refuse or change. */
    static final String LINE = "[^\\p{Cc}\\p{Cs}]*";

    static final String LINE_RULE = "may not contain control characters";

    /** A text of several lines. Written so that a schema in JSON means the same by it. */
    private static final String LINES =
            "[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\ud800-\\udfff]*";

    /** The profile that these make. */
    UserProfile profile() {
        return UserProfile.ofNullable(mobile, name, photo, Boolean.TRUE.equals(isMedia), intro, certi);
    }

    @Override
    public String toString() {
        return "Registration[]";
    }
}
