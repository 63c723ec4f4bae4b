package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids as tables spell them, and as caches do. */
class IdSpellingsTest {

    @ParameterizedTest
    @CsvSource({
        "550E8400-E29B-41D4-A716-446655440000, 550e8400-e29b-41d4-a716-446655440000",
        "550e8400e29b41d4a716446655440000, 550e8400-e29b-41d4-a716-446655440000",
        "{550e8400-e29b-41d4-a716-446655440000}, 550e8400-e29b-41d4-a716-446655440000",
        "42.00, 42",
        "-7.0, -7",
        "'42   ', 42"
    })
    void anotherSpelling(String text, String id) {
        assertThat(IdSpellings.of(text)).containsExactly(id);
    }

    @ParameterizedTest
    @ValueSource(strings = {"42", "a name", "42.5", "550e8400", ""})
    void noOther(String text) {
        assertThat(IdSpellings.of(text)).isEmpty();
    }
}
