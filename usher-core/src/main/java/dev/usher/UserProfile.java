package dev.usher;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.annotation.JsonDeserialize;
import tools.jackson.databind.deser.std.StdDeserializer;

/**
 * The profile of a user as the specification has it: a JSON object with exactly these six fields, in {@code
 * user:{id}:profile}.
 *
 * <p>A text that the user's row does not have is {@code ""}, never {@code null}. The mobile number is personal: {@link
 * #toString()} masks it.
 *
 * @param mobile the mobile number
 * @param name the name that others see
 * @param photo the address of the photo
 * @param isMedia whether the user is a media account; {@code is_media} in JSON, where 0 and 1 are understood too
 * @param intro the introduction that the user wrote
 * @param certi the certificate, such as a verified occupation
 */
@JsonPropertyOrder({"mobile", "name", "photo", "is_media", "intro", "certi"})
public record UserProfile(
        @JsonProperty(required = true) @JsonSetter(nulls = Nulls.AS_EMPTY)
        String mobile,

        @JsonProperty(required = true) @JsonSetter(nulls = Nulls.AS_EMPTY)
        String name,

        @JsonProperty(required = true) @JsonSetter(nulls = Nulls.AS_EMPTY)
        String photo,

        @JsonProperty(value = "is_media", required = true) @JsonDeserialize(using = BooleanOrBit.class)
        boolean isMedia,

        @JsonProperty(required = true) @JsonSetter(nulls = Nulls.AS_EMPTY)
        String intro,

        @JsonProperty(required = true) @JsonSetter(nulls = Nulls.AS_EMPTY)
        String certi) {

    /** Takes {@code null} for {@code ""}, wherever it slips through. */
    public UserProfile {
        mobile = textOf(mobile);
        name = textOf(name);
        photo = textOf(photo);
        intro = textOf(intro);
        certi = textOf(certi);
    }

    /** {@code user:{id}:profile}, for up to 30 minutes. */
    public static final Facet<UserProfile> FACET = Facet.of("profile", UserProfile.class);

    /**
     * A profile from the columns of a row, where {@code null} means that the row has no such text.
     *
     * @return the profile, with {@code ""} for every {@code null}
     */
    public static UserProfile ofNullable(
            @Nullable String mobile,
            @Nullable String name,
            @Nullable String photo,
            boolean isMedia,
            @Nullable String intro,
            @Nullable String certi) {
        return new UserProfile(textOf(mobile), textOf(name), textOf(photo), isMedia, textOf(intro), textOf(certi));
    }

    /**
     * The mobile number as strangers may see it: {@code 138****0000}. A number too short to keep secret that way shows
     * none of its digits.
     *
     * @return the masked number, or {@code ""} when there is none
     */
    @JsonIgnore
    public String maskedMobile() {
        if (mobile.isEmpty()) {
            return "";
        }
        return mobile.length() < 11 ? "****" : mobile.substring(0, 3) + "****" + mobile.substring(mobile.length() - 4);
    }

    /** This profile with the mobile number {@linkplain #maskedMobile masked}. */
    public UserProfile masked() {
        return new UserProfile(maskedMobile(), name, photo, isMedia, intro, certi);
    }

    @Override
    public String toString() {
        return "UserProfile[mobile=" + maskedMobile() + ", name=" + name + ", photo=" + photo + ", isMedia=" + isMedia
                + ", intro=" + intro + ", certi=" + certi + "]";
    }

    private static String textOf(@Nullable String text) {
        return text == null ? "" : text;
    }

    /** Reads {@code true} and {@code false}, and the 1 and 0 that databases without a boolean type write. */
    static final class BooleanOrBit extends StdDeserializer<Boolean> {

        BooleanOrBit() {
            super(boolean.class);
        }

        @Override
        public Boolean deserialize(JsonParser parser, DeserializationContext context) {
            return switch (parser.currentToken()) {
                case VALUE_TRUE -> true;
                case VALUE_FALSE -> false;
                case VALUE_NUMBER_INT -> bit(parser, context);
                default -> (Boolean) context.handleUnexpectedToken(boolean.class, parser);
            };
        }

        private static boolean bit(JsonParser parser, DeserializationContext context) {
            return switch (parser.getString()) {
                case "0" -> false;
                case "1" -> true;
                default -> (Boolean) context.handleUnexpectedToken(boolean.class, parser);
            };
        }
    }
}
