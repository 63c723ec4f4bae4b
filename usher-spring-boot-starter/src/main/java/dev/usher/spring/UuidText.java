package dev.usher.spring;

import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** The spellings of a UUID in databases, all of which mean the same user. */
final class UuidText {

    /** The length of the shortest spelling. */
    static final int SHORTEST = 32;

    private static final String URN = "urn:uuid:";

    private UuidText() {}

    /** The spellings that are looked up: with and without hyphens, in lower and upper case. */
    static List<Object> spellingsOf(UUID id) {
        String lower = id.toString();
        String upper = lower.toUpperCase(Locale.ROOT);
        return List.of(lower, upper, lower.replace("-", ""), upper.replace("-", ""));
    }

    /** The UUID of a text in any spelling, or {@code null} if it is not a UUID. */
    static @Nullable UUID parse(@Nullable String text) {
        if (text == null) {
            return null;
        }
        String bare = text.strip();
        if (bare.regionMatches(true, 0, URN, 0, URN.length())) {
            bare = bare.substring(URN.length());
        }
        if (bare.startsWith("{") && bare.endsWith("}")) {
            bare = bare.substring(1, bare.length() - 1);
        }
        String digits = bare.replace("-", "");
        if (digits.length() != SHORTEST || !digits.chars().allMatch(HexFormat::isHexDigit)) {
            return null;
        }
        return new UUID(
                Long.parseUnsignedLong(digits, 0, SHORTEST / 2, 16),
                Long.parseUnsignedLong(digits, SHORTEST / 2, SHORTEST, 16));
    }
}
