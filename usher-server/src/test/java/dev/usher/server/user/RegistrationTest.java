package dev.usher.server.user;

import static org.assertj.core.api.Assertions.assertThat;

import jakarta.validation.ConstraintViolation;
import jakarta.validation.Validation;
import jakarta.validation.Validator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which texts of a registration are taken, a change of a profile included, which has the same rules. */
class RegistrationTest {

    private static final Validator VALIDATOR;

    static {
        // Not closed: it is that of the JVM.
        VALIDATOR = Validation.buildDefaultValidatorFactory().getValidator();
    }

    private static final String MOBILE = "+8613812345678";
    private static final String PASSWORD = "correct horse 8";

    /** Outside the basic plane, and so two units of UTF-16. */
    private static final String ASTRAL = "𠮷";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Ann",
                "Ann O'Neil-Smith, 3rd",
                "名",
                "𠮷野家",
                // A letter and a mark.
                "Zoe\u0308",
                "אבגד",
                "مریم",
                // As names in Persian, in Malayalam with an older spelling, and in Sinhala are written.
                "علی\u200cرضا",
                "عليٌّ\u200cرضا",
                "അവന\u0d4d\u200d",
                "ශ\u0dca\u200dරී",
                // Emoji: a family, a profession with a colour of skin, a heart, a key, the two arrows of "nodding".
                "👩\u200d👩\u200d👧",
                "👩🏽\u200d⚕\ufe0f",
                "❤\ufe0f\u200d🔥",
                "1\ufe0f\u20e3",
                "🙂\u200d↔\ufe0f",
                // Variants of ideographs, as in Japanese names.
                "葛\udb40\udd00飾",
                "辻\ufe00",
                // Characters that only some fonts have.
                "\ue81e",
                "a b",
                "Ann\u3000Bob",
                "!",
                "?",
                "1"
            })
    void aNameIsTaken(String name) {
        assertThat(faults(registration(name))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                // Control characters, half pairs, ends of lines.
                "Ann\u0000",
                "Ann\n",
                "Ann\tBob",
                "Ann\u0085Bob",
                "Ann\u2028Bob",
                "Ann\u2029",
                "Ann\ud83d",
                "\ude00Ann",
                // Characters without width.
                "A\u200bnn",
                "A\u2060nn",
                "\ufeffAnn",
                "A\u00adnn",
                "A\u034fnn",
                "A\u180enn",
                "A\u2064nn",
                "A\u3164nn",
                "A\uffa0nn",
                "A\u115fnn",
                "A\ufff9nn",
                "A\udb40\udc41nn",
                "A\ud834\udd73nn",
                // Characters that change the direction of writing.
                "A\u202enn",
                "A\u202dnn",
                "A\u202ann",
                "A\u202c",
                "A\u2066nn\u2069",
                "A\u200enn",
                "A\u200fnn",
                "A\u061cnn",
                // Joiners and variants where they do nothing but make another name of the same look.
                "A\u200dnn",
                "A\u200cnn",
                "Ann\u200d",
                "\u200cAnn",
                "名\u200d字",
                "علی\u200c",
                "\u200cعلی",
                "علی\u200c\u200cرضا",
                "علی\u200cAnn",
                "👩\u200d",
                "👩\u200dA",
                "\u200d👩",
                "A\ufe0f",
                "\ufe0fA",
                "👩\ufe0f\ufe0f",
                " \ufe0f"
            })
    void aNameThatHidesSomethingIsRefused(String name) {
        assertThat(faults(registration(name))).containsExactly("name may not contain control or invisible characters");
        assertThat(faults(registration("Ann", name, null))).hasSize(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "   ", "\u00a0", "\u3000", "\u2003\u2003", "\u2800", " \u2800 "})
    void aNameThatShowsNothingIsBlank(String name) {
        assertThat(faults(registration(name))).containsExactly("name may not be blank");
        // A missing photo may also be an empty one.
        assertThat(faults(registration("Ann", name, name))).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"name, 64", "photo, 512", "intro, 1000"})
    void aTextIsAsLongAsItHasCharactersAndNotUnits(String field, int max) {
        for (String character : new String[] {"n", "名", ASTRAL, "👩", "\u0308"}) {
            String longest = "a" + character.repeat(max - 1);
            assertThat(faults(field, longest)).as(character).isEmpty();
            assertThat(faults(field, longest + character))
                    .as(character)
                    .containsExactly(field + " may have " + max + " characters at most");
        }
    }

    @Test
    void anIntroductionHasLinesAndDirectionsAndNoOverrides() {
        assertThat(faults("intro", "one\r\n\ttwo\u2028three \u200fאב\u200e \u2067גד\u2069 \u200bzero\ufeff"))
                .isEmpty();
        for (String refused : new String[] {"\u202e", "\u202d", "\u202b", "\u0000", "\u001b", "\u007f", "\ud800"}) {
            assertThat(faults("intro", "a" + refused + "b"))
                    .containsExactly("intro may not contain control characters or overrides of the direction");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "        ",
                "\u3000\u3000\u3000",
                "aaaaaaaa",
                "密密密密",
                "𠮷𠮷𠮷",
                "8613812345678",
                "+8613812345678",
                "13812345678",
                "0086 138 1234 5678",
                "138-1234-5678",
                "(+86) 138.1234.5678",
                "12345678"
            })
    void aPasswordThatIsTriedFirstIsRefused(String password) {
        assertThat(faults(new Registration(MOBILE, password, "Ann", null, null, null, null)))
                .containsExactly("password may not be blank, one character only, or the mobile number");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "aaaaaaab",
                "00000078",
                "       x",
                "13812345679",
                "8613812345678x",
                "87654321",
                "𠮷𠮷𠮷a",
                "correct horse"
            })
    void anotherPasswordIsTaken(String password) {
        assertThat(faults(new Registration(MOBILE, password, "Ann", null, null, null, null)))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"password\u0000", "password\n", "password\ud800", "password\u0085"})
    void aPasswordWithControlCharactersIsRefused(String password) {
        assertThat(faults("password", password)).containsExactly("password may not contain control characters");
    }

    @Test
    void aPasswordOfAMissingMobileNumberIsNoFaultOfItsOwn() {
        assertThat(VALIDATOR.validate(withoutMobile(PASSWORD)))
                .singleElement()
                .satisfies(fault -> assertThat(fault.getPropertyPath()).hasToString("mobile"));
    }

    /** As Jackson reads it. */
    @SuppressWarnings("NullAway")
    private static Registration withoutMobile(String password) {
        return new Registration(null, password, "Ann", null, null, null, null);
    }

    private static List<String> faults(String field, String value) {
        return VALIDATOR.validateValue(Registration.class, field, value).stream()
                .map(RegistrationTest::text)
                .toList();
    }

    private static List<String> faults(Registration registration) {
        return VALIDATOR.validate(registration).stream()
                .map(RegistrationTest::text)
                .toList();
    }

    private static String text(ConstraintViolation<?> fault) {
        return String.format(Locale.ROOT, "%s %s", fault.getPropertyPath(), fault.getMessage());
    }

    private static Registration registration(String name) {
        return registration(name, null, null);
    }

    private static Registration registration(String name, @Nullable String photo, @Nullable String intro) {
        return new Registration(MOBILE, PASSWORD, name, photo, null, intro, null);
    }
}
