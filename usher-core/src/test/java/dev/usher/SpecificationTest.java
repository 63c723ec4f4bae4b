package dev.usher;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The bytes in Redis, which a service written from the specification writes and reads. */
class SpecificationTest {

    private static final UserProfile ANN =
            new UserProfile("13800000000", "\u5b89 \"Ann\"", "https://example.org/a.png", true, "", "");

    /** As Python's {@code json.dumps} writes it: with spaces, and with everything but ASCII escaped. */
    private static final String ANN_BY_PYTHON = """
            {"mobile": "13800000000", "name": "\\u5b89 \\"Ann\\"", "photo": "https://example.org/a.png", \
            "is_media": true, "intro": "", "certi": ""}""";

    private final EntryCodec<UserProfile> profiles = new EntryCodec<>(UserProfile.FACET);
    private final EntryCodec<UserStatus> statuses = new EntryCodec<>(UserStatus.FACET);

    @Test
    void aProfileIsAJsonObjectWithExactlyTheSixFields() {
        assertThat(text(requireNonNull(profiles.prepare("42", ANN).bytes())))
                .isEqualTo("{\"mobile\":\"13800000000\",\"name\":\"\u5b89 \\\"Ann\\\"\","
                        + "\"photo\":\"https://example.org/a.png\",\"is_media\":true,\"intro\":\"\",\"certi\":\"\"}");
    }

    @Test
    void aProfileWrittenByTheFlaskServiceIsUnderstood() throws Exception {
        assertThat(profile(ANN_BY_PYTHON)).isEqualTo(ANN);
    }

    @Test
    void isMediaIsAlsoUnderstoodAsABit() throws Exception {
        assertThat(profile(ANN_BY_PYTHON.replace("true", "1")).isMedia()).isTrue();
        assertThat(profile(ANN_BY_PYTHON.replace("true", "0")).isMedia()).isFalse();
        assertThat(profile(ANN_BY_PYTHON.replace("true", "false")).isMedia()).isFalse();
    }

    @Test
    void unknownFieldsAreIgnored() throws Exception {
        assertThat(profile(ANN_BY_PYTHON.replace("{", "{\"karma\": [1, {}], "))).isEqualTo(ANN);
    }

    @Test
    void aTextThatIsNullIsEmpty() throws Exception {
        assertThat(profile(ANN_BY_PYTHON.replace("\"13800000000\"", "null")).mobile())
                .isEmpty();
        assertThat(profile(ANN_BY_PYTHON.replace("\"13800000000\"", "null")))
                .isEqualTo(UserProfile.ofNullable(null, ANN.name(), ANN.photo(), true, null, null));
        assertThat(UserProfile.ofNullable(null, null, null, false, null, null))
                .isEqualTo(new UserProfile("", "", "", false, "", ""));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "{",
                "[]",
                "{}",
                "true",
                " null",
                "{\u0000}\u0000",
                "\ufeff{}",
                "13800000000",
                "{\"mobile\":\"13800000000\"}",
                "{\"mobile\":\"13800000000\",\"name\":\"\",\"photo\":\"\",\"is_media\":2,\"intro\":\"\",\"certi\":\"\"}",
                "{\"mobile\":\"13800000000\",\"name\":\"\",\"photo\":\"\",\"is_media\":\"1\",\"intro\":\"\",\"certi\":\"\"}",
                "{\"mobile\":\"13800000000\",\"name\":\"\",\"photo\":\"\",\"is_media\":null,\"intro\":\"\",\"certi\":\"\"}",
                "{\"mobile\":\"13800000000\",\"name\":\"\",\"photo\":\"\",\"is_media\":0,\"intro\":\"\",\"certi\":\"\"} x",
                "{\"mobile\":[\"13800000000\"],\"name\":\"\",\"photo\":\"\",\"is_media\":0,\"intro\":\"\",\"certi\":\"\"}"
            })
    void whatIsNoProfileIsUnreadableAndNotQuoted(String json) {
        assertThatExceptionOfType(UnreadableEntryException.class)
                .isThrownBy(() -> profile(json))
                .withNoCause()
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("138"));
    }

    @Test
    void aStatusIsOneOrZero() throws Exception {
        assertThat(text(requireNonNull(statuses.encode("42", UserStatus.ENABLED))))
                .isEqualTo("1");
        assertThat(text(requireNonNull(statuses.encode("42", UserStatus.DISABLED))))
                .isEqualTo("0");
        assertThat(statuses.decode("1".getBytes(UTF_8)).value()).isEqualTo(UserStatus.ENABLED);
        assertThat(statuses.decode("0".getBytes(UTF_8)).value()).isEqualTo(UserStatus.DISABLED);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "2",
                "-1",
                "01",
                "1\n",
                " 1",
                "\u00001",
                "1\u0000",
                "\ufeff1",
                "1.0",
                "true",
                "\"1\"",
                "1 1",
                "",
                "ENABLED",
                "\"ENABLED\""
            })
    void nothingButOneEverMeansEnabled(String stored) {
        assertThatExceptionOfType(UnreadableEntryException.class)
                .isThrownBy(() -> statuses.decode(stored.getBytes(UTF_8)));
    }

    @Test
    void aKnownAbsentUserIsJsonNull() throws Exception {
        assertThat(text(requireNonNull(profiles.prepare("42", null).bytes()))).isEqualTo("null");
        assertThat(profiles.decode("null".getBytes(UTF_8)).value()).isNull();
        assertThat(statuses.decode("null".getBytes(UTF_8)).value()).isNull();
    }

    @Test
    void aValueThatWouldReadAsAbsentIsRefused() {
        FacetCodec<String> asItIs = new FacetCodec<>() {
            @Override
            public byte[] encode(String value) {
                return value.getBytes(UTF_8);
            }

            @Override
            public String decode(byte[] bytes) {
                return text(bytes);
            }
        };
        var codec = new EntryCodec<>(new Facet<>("text", asItIs, CachePolicy.of(Duration.ofMinutes(1))));
        assertThat(codec.encode("42", "nil")).isEqualTo("nil".getBytes(UTF_8));
        assertThat(codec.encode("42", "null")).isNull();
    }

    @Test
    void aMobileNumberIsMaskedWhereverAProfileIsPrinted() {
        assertThat(ANN.maskedMobile()).isEqualTo("138****0000");
        assertThat(ANN.toString()).contains("138****0000").doesNotContain("13800000000");
        assertThat(ANN.masked().mobile()).isEqualTo("138****0000");
        assertThat(UserProfile.ofNullable("12345678", "", "", false, "", "").maskedMobile())
                .isEqualTo("****");
        assertThat(UserProfile.ofNullable(null, "", "", false, "", "").maskedMobile())
                .isEmpty();
    }

    private UserProfile profile(String json) throws UnreadableEntryException {
        return profiles.decode(json.getBytes(UTF_8)).toOptional().orElseThrow();
    }

    private static String text(byte[] bytes) {
        return new String(bytes, UTF_8);
    }
}
