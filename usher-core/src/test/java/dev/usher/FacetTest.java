package dev.usher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FacetTest {

    private record Badges(int karma, List<String> names) {}

    @Test
    void anApplicationsOwnFacetIsJsonForHalfAnHour() {
        Facet<Badges> badges = Facet.of("badges", Badges.class);
        Badges value = new Badges(7, List.of("early", "kind"));
        byte[] bytes = badges.codec().encode(value);
        assertThat(bytes).asString().isEqualTo("{\"karma\":7,\"names\":[\"early\",\"kind\"]}");
        assertThat(badges.codec().decode(bytes)).isEqualTo(value);
        assertThat(badges.policy().ttl()).isEqualTo(Duration.ofMinutes(30));
    }

    @Test
    void aPolicyOfItsOwnChangesNothingElse() {
        CachePolicy policy = CachePolicy.of(Duration.ofSeconds(1));
        Facet<UserProfile> facet = UserProfile.FACET.with(policy);
        assertThat(facet.policy()).isEqualTo(policy);
        assertThat(facet.name()).isEqualTo("profile");
        assertThat(facet.codec()).isSameAs(UserProfile.FACET.codec());
    }

    @Test
    void whatRefusesIsSaidOfTheFacetAndAnAbsentUserAlwaysIs() {
        Facet<Badges> badges = Facet.of("badges", Badges.class);
        assertThat(badges.isRefusal(null)).isTrue();
        assertThat(badges.isRefusal(new Badges(-1, List.of()))).isFalse();

        Facet<Badges> refusing =
                badges.refusing(value -> value.karma() < 0).copyOnRead().with(CachePolicy.of(Duration.ofSeconds(1)));
        assertThat(refusing.isRefusal(null)).isTrue();
        assertThat(refusing.isRefusal(new Badges(-1, List.of()))).isTrue();
        assertThat(refusing.isRefusal(new Badges(0, List.of()))).isFalse();
        assertThat(refusing).isNotEqualTo(badges);

        assertThat(UserStatus.FACET.isRefusal(UserStatus.DISABLED)).isTrue();
        assertThat(UserStatus.FACET.isRefusal(UserStatus.ENABLED)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "Profile", "1st", "a:b", "a b", "a{b}", "abcdefghijklmnopqrstuvwxyz0123456"})
    void aNameThatCouldNotStandInAKeyIsRefused(String name) {
        assertThatIllegalArgumentException().isThrownBy(() -> Facet.of(name, Badges.class));
    }
}
