package dev.usher.server.user;

import io.swagger.v3.oas.annotations.media.Schema;
import org.jspecify.annotations.Nullable;

/** The rules of the fields that the platform grants. */
public record Grants(
        @Nullable Boolean isMedia,

        @Schema(maxLength = 200, pattern = Characters.LINE) @Text(max = 200) @Nullable String certi) {

    /** What a user is told that sets such a field. */
    static final String RULE = "is granted by an administrator";

    @Override
    public String toString() {
        return "Grants[]";
    }
}
