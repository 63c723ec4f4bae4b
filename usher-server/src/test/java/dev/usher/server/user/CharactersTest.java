package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The regular expressions of the OpenAPI document against the rules of the server, for every character. */
class CharactersTest {

    @Test
    @Tag("thorough")
    void linesAndSecretsAreWhatTheDocumentSays() {
        assertThat(difference(Characters.LINES, Characters::areOfLines)).isEqualTo(new BitSet());
        assertThat(difference(Characters.SECRET, Characters::areNoControls)).isEqualTo(new BitSet());
    }

    @Test
    @Tag("thorough")
    void aLineIsWhatTheDocumentSaysButForWhatDependsOnItsNeighboursAndWhatIsHiddenOutsideTheBasicPlane() {
        BitSet expected = new BitSet();
        expected.set(0x200c, 0x200e);
        expected.set(0x180b, 0x180e);
        expected.set(0x180f);
        expected.set(0xfe00, 0xfe10);
        expected.set(0x1bca0, 0x1bca4);
        expected.set(0x1d173, 0x1d17b);
        expected.set(0xe0000, 0xe1000);

        assertThat(difference(Characters.LINE, Characters::areOfALine)).isEqualTo(expected);
    }

    /** Java has a category for it, the list its code points: the rule must not depend on the version of Java. */
    @Test
    void noFormatCharacterOfTheBasicPlaneIsTakenButThoseThatShow() {
        BitSet taken = new BitSet();
        for (int character = 0; character <= 0xffff; character++) {
            if (Character.getType(character) == Character.FORMAT && Characters.areOfALine(between(character))) {
                taken.set(character);
            }
        }
        // Signs of numbers, years and verses, of Arabic and Syriac.
        assertThat(taken.stream().boxed())
                .contains(0x600, 0x6dd, 0x70f)
                .allSatisfy(character -> assertThat(character).isBetween(0x600, 0x8ff));
    }

    /** The characters that one takes, and the other does not. */
    private static BitSet difference(String document, Predicate<String> enforced) {
        Predicate<String> documented = Pattern.compile(document).asMatchPredicate();
        BitSet difference = new BitSet();
        for (int character = 0; character <= Character.MAX_CODE_POINT; character++) {
            String text = between(character);
            if (documented.test(text) != enforced.test(text)) {
                difference.set(character);
            }
        }
        return difference;
    }

    private static String between(int character) {
        return new StringBuilder("a").appendCodePoint(character).append('b').toString();
    }
}
