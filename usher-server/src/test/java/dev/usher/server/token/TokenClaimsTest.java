package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.security.oauth2.jwt.Jwt;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Well-signed tokens, each with one claim or header parameter that has another type or value than the server gives it. */
class TokenClaimsTest {

    private static final JsonMapper MAPPER = new JsonMapper();

    /** Of each type of JSON, and at its extremes. */
    static final List<String> VALUES = List.of(
            "null",
            "true",
            "0",
            "1",
            "-1",
            "1.5",
            "1e400",
            "2147483648",
            "9223372036854775807",
            "-9223372036854775808",
            "9223372036854775808",
            "1" + "0".repeat(400),
            "\"\"",
            "\"1\"",
            "\"admin\"",
            "\"usher\"",
            "\"RS256\"",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "\"" + "x".repeat(3000) + "\"",
            "[]",
            "[null]",
            "[1]",
            "[\"\"]",
            "[\"admin\"]",
            "[\"admin\",\"admin\"]",
            "[\"admin\",null]",
            "[\"admin\",1]",
            "[\"admin\",[\"admin\"]]",
            "[[\"admin\"]]",
            "[{\"admin\":\"admin\"}]",
            "[\"usher\"]",
            "[\"other\",\"usher\"]",
            "[\"usher\",null]",
            "[[\"usher\"]]",
            "{}",
            "{\"admin\":\"admin\"}");

    private static final List<String> ONE_OF_EACH_TYPE = List.of(
            "null", "true", "1", "1e400", "\"\"", "\"RS512\"", "[]", "[\"exp\"]", "[null]", "[[\"RS256\"]]", "{}");

    private static final Predicate<JsonNode> TEXT = JsonNode::isString;
    private static final Predicate<JsonNode> NUMBER = JsonNode::isNumber;
    private static final Predicate<JsonNode> TEXTS =
            value -> value.isArray() && value.valueStream().allMatch(JsonNode::isString);
    private static final Predicate<JsonNode> NONE = JsonNode::isNull;

    /** The types that each claim may have. Null stands for a missing claim. */
    private static final Map<String, Predicate<JsonNode>> CLAIMS = Map.of(
            "iss", TEXT,
            "aud", TEXT.or(TEXTS),
            "sub", TEXT,
            "iat", NUMBER.or(NONE),
            "nbf", NUMBER.or(NONE),
            "exp", NUMBER,
            "roles", TEXTS.or(NONE),
            "sid", TEXT.or(NONE),
            "gen", NUMBER.or(NONE));

    private static final SigningKey KEY = SigningKey.generate();
    private static final long NOW = 1_800_000_000;

    private final AccessTokens tokens = AccessTokensTest.tokens(KEY, Map.of(), () -> Instant.ofEpochSecond(NOW));

    @Test
    void aClaimOfAnotherTypeIsRefused() {
        List<String> faults = new ArrayList<>();
        int honoured = 0;
        for (String claim : CLAIMS.keySet()) {
            for (String value : VALUES) {
                Map<String, String> claims = claims();
                claims.put(claim, value);
                String outcome = judge(header(), json(claims));
                boolean mayBe = CLAIMS.get(claim).test(MAPPER.readTree(value));
                if (outcome.equals("honoured")) {
                    honoured++;
                }
                if (!outcome.equals("refused") && !(outcome.equals("honoured") && mayBe)) {
                    faults.add(claim + " " + shown(value) + ": " + outcome);
                }
            }
        }
        assertThat(faults).isEmpty();
        assertThat(honoured).as("tokens that are as they may be").isGreaterThan(30);
    }

    @Test
    void aClaimThatIsRequiredMayNotBeMissing() {
        for (String claim : CLAIMS.keySet()) {
            Map<String, String> claims = claims();
            claims.remove(claim);
            assertThat(judge(header(), json(claims)))
                    .as("without %s", claim)
                    .isEqualTo(Set.of("iss", "aud", "sub", "exp").contains(claim) ? "refused" : "honoured");
        }
    }

    @Test
    void aClaimThatIsThereTwiceIsRefusedOrIsTheLastOne() {
        for (String claim : CLAIMS.keySet()) {
            for (String value : List.of("null", "1", "[[\"admin\"]]", "{}")) {
                String twice = json(claims()).replace("{", "{\"" + claim + "\":" + value + ",");
                assertThat(judge(header(), twice)).as("%s twice", claim).isIn("refused", "honoured");
            }
        }
    }

    @Test
    void aPayloadThatIsNotAnObjectIsRefused() {
        for (String claims :
                List.of("", "null", "[]", "1", "\"\"", "{", "{}", "{\"sub\"}", "\u0000", "[".repeat(10_000))) {
            assertThat(judge(header(), claims)).as(shown(claims)).isEqualTo("refused");
        }
    }

    @Test
    void aHeaderParameterOfAnotherTypeIsRefused() {
        List<String> faults = new ArrayList<>();
        for (String parameter : List.of("alg", "kid", "typ", "crit", "b64", "jwk", "x5t")) {
            for (String value : ONE_OF_EACH_TYPE) {
                Map<String, String> header = header();
                header.put(parameter, value);
                String outcome = judge(header, json(claims()));
                boolean decides = parameter.equals("alg") || (parameter.equals("kid") && !value.equals("null"));
                boolean mayBe = !decides || value.equals(header().get(parameter));
                if (!outcome.equals("refused") && !(outcome.equals("honoured") && mayBe)) {
                    faults.add(parameter + " " + shown(value) + ": " + outcome);
                }
            }
        }
        assertThat(faults).isEmpty();
    }

    @Test
    void onlyAListOfTextsGivesARole() {
        Map<String, String> administrators = new LinkedHashMap<>();
        for (String value : VALUES) {
            Map<String, String> claims = claims();
            claims.put("roles", value);
            try {
                Jwt token = tokens.decoder().decode(KEY.sign(json(header()), json(claims)));
                String roles = AccessTokens.authorities().convert(token).getAuthorities().stream()
                        .map(GrantedAuthority::getAuthority)
                        .sorted()
                        .collect(Collectors.joining(" "));
                if (roles.contains("admin")) {
                    administrators.put(value, roles);
                }
            } catch (BadJwtException e) {
                assertThat(e).hasMessageNotContaining("null");
            }
        }
        assertThat(administrators.keySet()).containsExactlyInAnyOrder("[\"admin\"]", "[\"admin\",\"admin\"]");
        assertThat(administrators.values()).containsOnly("FACTOR_BEARER ROLE_admin");
    }

    /** Any other exception than that of a refusal would be answered with 500. */
    private String judge(Map<String, String> header, String claims) {
        try {
            assertThat(tokens.decoder().decode(KEY.sign(json(header), claims))).isNotNull();
            return "honoured";
        } catch (BadJwtException e) {
            return "refused";
        } catch (RuntimeException e) {
            return e.toString();
        }
    }

    private static Map<String, String> header() {
        return new LinkedHashMap<>(Map.of("alg", "\"RS256\"", "kid", "\"" + KEY.id() + "\"", "typ", "\"JWT\""));
    }

    private static Map<String, String> claims() {
        return new LinkedHashMap<>(Map.of(
                "iss",
                "\"usher\"",
                "aud",
                "[\"usher\"]",
                "sub",
                "\"1\"",
                "iat",
                Long.toString(NOW - 1),
                "nbf",
                Long.toString(NOW - 1),
                "exp",
                Long.toString(NOW + 600),
                "roles",
                "[]",
                "sid",
                "\"" + UUID.randomUUID() + "\"",
                "gen",
                "3"));
    }

    private static String json(Map<String, String> values) {
        return values.entrySet().stream()
                .map(value -> "\"" + value.getKey() + "\":" + value.getValue())
                .collect(Collectors.joining(",", "{", "}"));
    }

    private static String shown(String value) {
        return value.length() > 40 ? value.substring(0, 40) + "… (" + value.length() + ")" : value;
    }
}
