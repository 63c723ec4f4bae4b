package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.usher.redis.KeySpace;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeySpaceTest {

    private final KeySpace keys = new KeySpace("user", "profile");

    @Test
    void aKeyIsPrefixIdAndFacet() {
        assertThat(keys.keyOf(42L)).isEqualTo("user:42:profile");
        assertThat(keys.keyOf(42)).isEqualTo("user:42:profile");
        assertThat(keys.keyOf("ann@example.org")).isEqualTo("user:ann@example.org:profile");
        assertThat(keys.keyOf(new UUID(1, 2))).isEqualTo("user:00000000-0000-0001-0000-000000000002:profile");
    }

    @Test
    void theGuardLiesInTheSlotOfItsValue() {
        assertThat(KeySpace.guardOf("user:42:profile")).isEqualTo("{user:42:profile}:guard");
        assertThat(io.lettuce.core.cluster.SlotHash.getSlot("{user:42:profile}:guard"))
                .isEqualTo(io.lettuce.core.cluster.SlotHash.getSlot("user:42:profile"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "4 2",
                "42\n",
                "a{b",
                "a}b",
                "\u0000",
                "a\u00a0b",
                "a\u2028b",
                "a\u200bb",
                "half\ud800",
                "\udc00half"
            })
    void anIdThatCouldBeMistakenIsRefused(String id) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> keys.keyOf(id))
                .withMessageStartingWith("a user's id may not");
    }

    @Test
    void aRefusedIdIsNotQuoted() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> keys.keyOf("13800000000 oops"))
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("138"));
    }

    @Test
    void anIdHasUpTo128Characters() {
        assertThat(keys.keyOf("x".repeat(128))).hasSize("user::profile".length() + 128);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> keys.keyOf("x".repeat(129)))
                .withMessage("a user's id may have 128 characters at most, but has 129");
    }

    @Test
    void aWholePairOfSurrogatesIsALetterLikeAnyOther() {
        assertThat(keys.keyOf("\ud83d\ude00")).isEqualTo("user:\ud83d\ude00:profile");
    }

    @Test
    void aKeyIsKnownByItsPrefixItsFacetAndAnIdBetweenThem() {
        for (String key :
                new String[] {"user:42:profile", "user:a:b:profile", "user:" + "x".repeat(128) + ":profile"}) {
            assertThat(keys.contains(key)).as(key).isTrue();
        }
        for (String key : new String[] {
            "user:profile",
            "user::profile",
            "user:42",
            "user:42:status",
            "user:42:xprofile",
            "xuser:42:profile",
            "user:{42}:profile",
            "user:4 2:profile",
            "profile",
            "user:42:profile:",
            "user:" + "x".repeat(129) + ":profile"
        }) {
            assertThat(keys.contains(key)).as(key).isFalse();
        }
    }

    @Test
    void aGuardIsKnownByItsBraces() {
        assertThat(KeySpace.guarded("{user:42:profile}:guard")).isEqualTo("user:42:profile");
        for (String key : new String[] {"user:42:profile", "{user:42:profile}", "user:42:profile}:guard", "}:guard"}) {
            assertThat(KeySpace.guarded(key)).isEqualTo(key);
        }
        assertThat(KeySpace.facetOf("user:a:b:profile")).isEqualTo("profile");
    }
}
