package dev.usher.cli;

import java.util.regex.Pattern;

/** A Redis URI or a JDBC URL without its user and password. */
final class MaskedUri {

    private static final String MASK = "***";

    /** Up to the last {@code @}, for a password may contain one; too much is masked rather than too little. */
    private static final Pattern USER_INFO = Pattern.compile("//.*@", Pattern.DOTALL);

    private static final Pattern SECRET_PARAMETER =
            Pattern.compile("(?i)([?&;][^=&;]*(?:user|pass|secret|token|key)[^=&;]*=)[^&;]*");

    private MaskedUri() {}

    static String of(String uri) {
        String withoutUser = USER_INFO.matcher(uri).replaceAll("//" + MASK + "@");
        return SECRET_PARAMETER.matcher(withoutUser).replaceAll("$1" + MASK);
    }
}
