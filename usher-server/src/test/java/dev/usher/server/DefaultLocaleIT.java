package dev.usher.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Node.Shared;
import dev.usher.server.Node.User;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Answers for machines are the same in every default locale of the JVM. */
@Tag("thorough") // DefaultLocaleRuleTest judges all code in mvn verify
class DefaultLocaleIT {

    /** Digits that are none of 0 to 9, and the letter I of Turkish without its dot. */
    private static final Pattern FOREIGN = Pattern.compile("[\\p{Nd}&&[^0-9]]|\u0131");

    private final Locale before = Locale.getDefault();
    private final Node node = Shared.NODE;

    @AfterEach
    void restore() {
        Locale.setDefault(before);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ar-EG", "hi-IN-u-nu-deva", "th-TH-u-nu-thai", "tr-TR", "fa-IR"})
    void answersAndKeysAreTheSame(String locale) {
        Locale.setDefault(Locale.forLanguageTag(locale));
        User ann = node.register();
        String token = ann.token();
        String admin = node.administrator().token();

        check(node.get("/v1/me", null).problem(401, "unauthenticated"));
        check(node.get("/v1/me", token).with(200));
        check(node.get("/v1/users?ids=x", token).problem(400, "invalid-field"));
        check(node.get("/v1/users/" + Long.MAX_VALUE, token).problem(404, "user-not-found"));
        check(node.get("/v1/admin/users/1/cache", token).problem(403, "forbidden"));
        check(node.send("DELETE", "/v1/me", null, token).problem(405, "method-not-allowed"));
        check(node.post("/v1/login", "{", null).problem(400, "malformed-request"));
        check(node.post("/v1/users", Map.of("mobile", "1"), null).problem(400, "invalid-field"));
        check(node.post("/v1/login", "x".repeat(70_000), null).problem(413, "body-too-large"));
        check(node.get("/v1/admin/users/" + ann.id() + "/cache", admin).with(200));
        assertThat(Shared.redis().exists("user:" + ann.id() + ":profile", "user:" + ann.id() + ":status"))
                .isEqualTo(2);
        check(node.setStatus(ann.id(), "disabled").with(200));
        check(node.get("/v1/me", token).problem(403, "account-disabled"));
        check(node.get("/actuator/usher/" + ann.id(), admin).with(200));
        check(node.get("/.well-known/jwks.json", null).with(200));
        assertThat(FOREIGN.matcher(node.get("/actuator/prometheus", admin)
                                .with(200)
                                .response()
                                .body())
                        .find())
                .isFalse();
    }

    /** It is JSON, and of its headers too, nothing is written in another way. */
    private static void check(Answer answer) {
        assertThat(answer.json().isObject()).isTrue();
        assertThat(FOREIGN.matcher(answer.response().body()).find())
                .as(answer.response().body())
                .isFalse();
        assertThat(FOREIGN.matcher(answer.response().headers().map().toString()).find())
                .as(answer.response().headers().map().toString())
                .isFalse();
    }
}
