package dev.usher.server.user;

import java.lang.Character.UnicodeScript;
import java.util.EnumSet;
import java.util.Set;

/**
 * The characters that texts of callers may have. A text that is shown to others has no character that makes it look like another text, or
 * that hides it.
 *
 * <p>Joiners and variation selectors have no width, but are part of how some names and emoji are written. They are taken where they have an
 * effect: after RFC 5892, appendix A (CONTEXTJ), and Unicode's {@code Default_Ignorable_Code_Point}, but by scripts, since Java knows no joining
 * types.
 */
final class Characters {

    /** Characters that a line may not have, for a regular expression; without those that depend on their neighbours. */
    private static final String NOT_IN_A_LINE =
            "\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e"
                    + "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb";

    private static final String NOT_IN_LINES =
            "\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u202a-\\u202e";

    /**
     * A line, for the OpenAPI document: it matches all texts that {@link #areOfALine} takes, and few others. It means the same to a matcher of UTF-16
     * units and to one of code points.
     */
    static final String LINE = "^(?:[^" + NOT_IN_A_LINE + "\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])*$";

    /** Several lines, as {@link #areOfLines} takes them. */
    static final String LINES = "^(?:[^" + NOT_IN_LINES + "\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])*$";

    /** A text without control characters, as {@link #areNoControls} takes it. */
    static final String SECRET =
            "^(?:[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]|[\\ud800-\\udbff][\\udc00-\\udfff])*$";

    private static final int ZERO_WIDTH_NON_JOINER = 0x200c;
    private static final int ZERO_WIDTH_JOINER = 0x200d;
    private static final int BRAILLE_BLANK = 0x2800;
    private static final int FIRST_ARROW = 0x2190;

    /** Ranges of characters that have no width or change the direction, and are never part of how a name is written. */
    private static final int[][] HIDDEN = {
        {0x00ad, 0x00ad}, // soft hyphen
        {0x034f, 0x034f}, // grapheme joiner
        {0x061c, 0x061c}, // Arabic letter mark
        {0x115f, 0x1160}, // fillers of Hangul
        {0x17b4, 0x17b5}, // inherent vowels of Khmer
        {0x180e, 0x180e}, // Mongolian vowel separator
        {0x200b, 0x200b}, // zero width space
        {0x200e, 0x200f}, // direction marks
        {0x2028, 0x202e}, // separators of lines and paragraphs, embeddings and overrides of the direction
        {0x2060, 0x206f}, // word joiner, isolates of the direction
        {0x3164, 0x3164}, // filler of Hangul
        {0xfeff, 0xfeff}, // zero width no-break space
        {0xffa0, 0xffa0}, // filler of Hangul
        {0xfff0, 0xfffb}, // interlinear annotations
        {0x1bca0, 0x1bca3}, // shorthand format controls
        {0x1d173, 0x1d17a}, // musical format controls
        {0xe0000, 0xe00ff}, // tags
        {0xe01f0, 0xe0fff},
    };

    /** Scripts with letters that have several shapes, or are joined to one another. */
    private static final Set<UnicodeScript> JOINING = EnumSet.of(
            UnicodeScript.ADLAM,
            UnicodeScript.ARABIC,
            UnicodeScript.MANDAIC,
            UnicodeScript.MONGOLIAN,
            UnicodeScript.NKO,
            UnicodeScript.PHAGS_PA,
            UnicodeScript.SYRIAC);

    /** Scripts with a mark that joins consonants, and that a joiner may follow. */
    private static final Set<UnicodeScript> CONJOINING = EnumSet.of(
            UnicodeScript.BENGALI,
            UnicodeScript.DEVANAGARI,
            UnicodeScript.GUJARATI,
            UnicodeScript.GURMUKHI,
            UnicodeScript.KANNADA,
            UnicodeScript.KHMER,
            UnicodeScript.MALAYALAM,
            UnicodeScript.MYANMAR,
            UnicodeScript.ORIYA,
            UnicodeScript.SINHALA,
            UnicodeScript.TAMIL,
            UnicodeScript.TELUGU);

    private Characters() {}

    /** Whether a text is one line in which each character is visible, and none hides or turns another. */
    static boolean areOfALine(String text) {
        int[] characters = text.codePoints().toArray();
        for (int i = 0; i < characters.length; i++) {
            int character = characters[i];
            boolean taken = isJoiner(character)
                    ? isJoined(characters, i)
                    : isVariationSelector(character)
                            ? i > 0 && hasVariants(characters[i - 1])
                            : !isControl(character) && !isHidden(character);
            if (!taken) {
                return false;
            }
        }
        return true;
    }

    /** Whether a text has the characters of several lines, which may contain marks and isolates of the direction. */
    static boolean areOfLines(String text) {
        return text.codePoints()
                .allMatch(character -> character == '\t'
                        || character == '\n'
                        || character == '\r'
                        || (!isControl(character) && (character < 0x202a || character > 0x202e)));
    }

    /** Whether a text has neither control characters nor unpaired surrogates. */
    static boolean areNoControls(String text) {
        return text.codePoints().noneMatch(Characters::isControl);
    }

    /** Whether a text has a visible character. */
    static boolean show(String text) {
        return text.codePoints()
                .anyMatch(character -> !isBlank(character)
                        && !isControl(character)
                        && !isHidden(character)
                        && !isJoiner(character)
                        && !isVariationSelector(character));
    }

    /** Whether a character is a blank of any width. */
    static boolean isBlank(int character) {
        return Character.isWhitespace(character) || Character.isSpaceChar(character) || character == BRAILLE_BLANK;
    }

    /** Unpaired surrogates included, which neither UTF-8 nor the database can hold. */
    private static boolean isControl(int character) {
        int type = Character.getType(character);
        return type == Character.CONTROL || type == Character.SURROGATE;
    }

    private static boolean isHidden(int character) {
        for (int[] range : HIDDEN) {
            if (character >= range[0] && character <= range[1]) {
                return true;
            }
        }
        return false;
    }

    private static boolean isJoiner(int character) {
        return character == ZERO_WIDTH_NON_JOINER || character == ZERO_WIDTH_JOINER;
    }

    private static boolean isVariationSelector(int character) {
        return (character >= 0xfe00 && character <= 0xfe0f)
                || (character >= 0xe0100 && character <= 0xe01ef)
                || (character >= 0x180b && character <= 0x180d)
                || character == 0x180f;
    }

    private static boolean isJoined(int[] characters, int joiner) {
        int base = joiner - 1;
        while (base >= 0 && isInheritedMark(characters[base])) {
            base--;
        }
        if (base < 0) {
            return false;
        }
        UnicodeScript script = UnicodeScript.of(characters[base]);
        if (CONJOINING.contains(script)) {
            return isMark(characters[base]);
        }
        if (joiner + 1 == characters.length) {
            return false;
        }
        int next = characters[joiner + 1];
        return JOINING.contains(script)
                ? JOINING.contains(UnicodeScript.of(next)) && Character.isLetter(next)
                : characters[joiner] == ZERO_WIDTH_JOINER && isPictograph(characters[base]) && isPictograph(next);
    }

    /** Variation selectors included, which may stand between an emoji and the joiner. */
    private static boolean isInheritedMark(int character) {
        return isMark(character) && UnicodeScript.of(character) == UnicodeScript.INHERITED;
    }

    private static boolean isMark(int character) {
        int type = Character.getType(character);
        return type == Character.NON_SPACING_MARK || type == Character.COMBINING_SPACING_MARK;
    }

    /** An emoji, a modifier of the skin tone, an arrow, or an emoji that this version of Java does not know yet. */
    private static boolean isPictograph(int character) {
        int type = Character.getType(character);
        return character >= FIRST_ARROW
                && (type == Character.OTHER_SYMBOL
                        || type == Character.MATH_SYMBOL
                        || type == Character.MODIFIER_SYMBOL
                        || type == Character.UNASSIGNED);
    }

    /** Letters have no variants, except for ideographs and a few scripts: elsewhere a selector would make another name that looks the same. */
    private static boolean hasVariants(int character) {
        UnicodeScript script = UnicodeScript.of(character);
        boolean hides = isBlank(character)
                || isControl(character)
                || isHidden(character)
                || isJoiner(character)
                || isVariationSelector(character);
        return !hides
                && (!Character.isLetter(character)
                        || Character.isIdeographic(character)
                        || script == UnicodeScript.MONGOLIAN
                        || script == UnicodeScript.MYANMAR
                        || script == UnicodeScript.PHAGS_PA);
    }
}
