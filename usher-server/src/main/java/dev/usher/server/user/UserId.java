package dev.usher.server.user;

import java.util.regex.Pattern;

/** The id of a user as it stands in an address, written in one way: Spring would take {@code 0x1f} and {@code 1 2} too. */
public record UserId(long value) {

    private static final Pattern DECIMAL = Pattern.compile("[1-9][0-9]{0,18}");

    /**
     * Reads an id. Spring finds this by its name.
     *
     * @throws IllegalArgumentException when it is none
     */
    public static UserId valueOf(String text) {
        if (!DECIMAL.matcher(text).matches()) {
            throw new IllegalArgumentException("not the id of a user");
        }
        return new UserId(Long.parseLong(text));
    }
}
