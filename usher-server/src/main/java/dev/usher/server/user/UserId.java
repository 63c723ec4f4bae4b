package dev.usher.server.user;

import java.util.regex.Pattern;

/** The id of a user in an address, as decimal digits only: Spring would also take {@code 0x1f} and {@code 1 2}. */
public record UserId(long value) {

    private static final Pattern DECIMAL = Pattern.compile("[1-9][0-9]{0,18}");

    /**
     * Reads an id. Spring finds this by its name.
     *
     * @throws IllegalArgumentException when the text is not an id
     */
    public static UserId valueOf(String text) {
        if (!DECIMAL.matcher(text).matches()) {
            throw new IllegalArgumentException("not the id of a user");
        }
        return new UserId(Long.parseLong(text));
    }
}
