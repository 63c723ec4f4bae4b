package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.FacetCodec;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.security.oauth2.jwt.Jwt;

class AccessTest {

    private static final UUID FAMILY = UUID.randomUUID();
    private static final UUID OTHER = UUID.randomUUID();
    private static final FacetCodec<Access> CODEC = FacetCodec.json(Access.class);

    @Test
    void aTokenOfAnEarlierGenerationIsRefused() {
        Access access = new Access(2, List.of(), List.of());

        assertThat(access.honours(token(Map.of("gen", 1L, "sid", FAMILY.toString()))))
                .isFalse();
        assertThat(access.honours(token(Map.of("gen", 2L, "sid", FAMILY.toString()))))
                .isTrue();
        // Issued after this answer was read.
        assertThat(access.honours(token(Map.of("gen", 3L, "sid", FAMILY.toString()))))
                .isTrue();
    }

    @Test
    void aTokenOfAFamilyThatHasEndedIsRefused() {
        Access access = new Access(0, List.of(), List.of(FAMILY));

        assertThat(access.honours(token(Map.of("gen", 0L, "sid", FAMILY.toString()))))
                .isFalse();
        assertThat(access.honours(token(Map.of("gen", 0L, "sid", OTHER.toString()))))
                .isTrue();
    }

    @Test
    void aTokenWithoutAGenerationIsOfTheFirst() {
        Jwt token = token(Map.of("sid", FAMILY.toString()));

        assertThat(new Access(0, List.of(), List.of()).honours(token)).isTrue();
        assertThat(new Access(0, List.of(), List.of(FAMILY)).honours(token)).isFalse();
        assertThat(new Access(1, List.of(), List.of()).honours(token)).isFalse();
    }

    @Test
    void aTokenWithoutAFamilyIsJudgedByItsGeneration() {
        assertThat(new Access(0, List.of(), List.of(FAMILY)).honours(token(Map.of("sid", "none"))))
                .isTrue();
        assertThat(new Access(1, List.of(), List.of(FAMILY)).honours(token(Map.of("iss", "other"))))
                .isFalse();
    }

    @Test
    void whatIsStoredIsReadBack() {
        Access access = new Access(7, List.of("admin"), List.of(FAMILY, OTHER));

        assertThat(CODEC.decode(CODEC.encode(access))).isEqualTo(access);
    }

    /** Nothing that is missing may stand for "not ended". */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"roles\":[],\"ended\":[]}",
                "{\"generation\":null,\"roles\":[],\"ended\":[]}",
                "{\"generation\":-1,\"roles\":[],\"ended\":[]}",
                "{\"generation\":\"1\",\"roles\":[],\"ended\":[]}",
                "{\"generation\":1,\"ended\":[]}",
                "{\"generation\":1,\"roles\":[]}",
                "{\"generation\":1,\"roles\":[],\"ended\":null}",
                "{\"generation\":1,\"roles\":[],\"ended\":[\"none\"]}"
            })
    void aValueThatLacksAPartIsUnreadable(String json) {
        assertThatThrownBy(() -> CODEC.decode(json.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(RuntimeException.class);
    }

    private static Jwt token(Map<String, Object> claims) {
        return new Jwt("text", Instant.EPOCH, Instant.MAX, Map.of("alg", "RS256"), claims);
    }
}
