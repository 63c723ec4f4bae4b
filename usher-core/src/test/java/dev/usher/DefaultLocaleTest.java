package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.redis.KeySpace;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written for machines is the same in every default locale of the JVM. */
class DefaultLocaleTest {

    private final Locale before = Locale.getDefault();

    @AfterEach
    void restore() {
        Locale.setDefault(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ar-EG", "hi-IN-u-nu-deva", "th-TH-u-nu-thai", "tr-TR", "fa-IR"})
    void keysValuesAndReceiptsAreTheSame(String locale) {
        Locale.setDefault(Locale.forLanguageTag(locale));
        UserProfile profile = new UserProfile("13800000001", "I", "", true, "", "");

        assertThat(new KeySpace("user", "profile").keyOf(1234567L)).isEqualTo("user:1234567:profile");
        assertThat(KeySpace.guardOf("user:1234567:profile")).isEqualTo("{user:1234567:profile}:guard");
        assertThat(IdType.LONG.parse("1234567")).isEqualTo(1234567L);
        assertThat(new String(UserStatus.FACET.codec().encode(UserStatus.ENABLED), StandardCharsets.UTF_8))
                .isEqualTo("1");
        assertThat(new String(UserProfile.FACET.codec().encode(profile), StandardCharsets.UTF_8))
                .contains("\"13800000001\"", "\"I\"", "1");
        assertThat(RevocationReceipt.sent(
                                null, Set.of("17@b-9a8b7c6d"), Set.of(), Set.of(), Map.of(), Duration.ofMillis(1234))
                        .toString())
                .contains("17@b-9a8b7c6d", "PT1.234S");
    }
}
