package dev.usher.relay;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Other spellings of an id than the one in a table: a UUID in 16 bytes, in upper case or without hyphens, a number with a scale. The caches of an application
 * find such rows too, since they look ids up by the type of the column.
 */
final class IdSpellings {

    private static final Pattern UUID = Pattern.compile("\\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}}?");
    private static final Pattern SCALED = Pattern.compile("(-?\\d{1,20})\\.0{1,38}");

    private IdSpellings() {}

    /** The spelling that the class of ids has, if the text is one of another spelling. */
    static List<String> of(String text) {
        String bare = text.strip();
        List<String> spellings = new ArrayList<>();
        if (UUID.matcher(bare).matches()) {
            String digits = bare.replaceAll("[{}-]", "").toLowerCase(Locale.ROOT);
            spellings.add(String.join(
                    "-",
                    digits.substring(0, 8),
                    digits.substring(8, 12),
                    digits.substring(12, 16),
                    digits.substring(16, 20),
                    digits.substring(20)));
        } else if (SCALED.matcher(bare).matches()) {
            spellings.add(new BigDecimal(bare).toBigInteger().toString());
        } else if (!bare.equals(text)) {
            spellings.add(bare);
        }
        return spellings;
    }
}
