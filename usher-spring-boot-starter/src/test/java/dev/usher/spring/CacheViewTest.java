package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.Explanation;
import dev.usher.Explanation.Guard;
import dev.usher.Explanation.Holding;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;

class CacheViewTest {

    private static final UserProfile ANN = new UserProfile("13800000000", "Ann", "", false, "", "");

    @Test
    void aProfileIsShownWithTheMobileNumberMasked() {
        CacheView view = CacheView.of(of(new Holding.Value<>(ANN), new Holding.Value<>(ANN)));

        assertThat(view.near().value()).isEqualTo(ANN.masked());
        assertThat(view.toString()).doesNotContain("13800000000");
        assertThat(view.agree()).isTrue();
    }

    @Test
    void profilesWithDifferentMobileNumbersDoNotAgree() {
        UserProfile other = new UserProfile("13811110000", "Ann", "", false, "", "");

        CacheView view = CacheView.of(of(new Holding.Value<>(other), new Holding.Value<>(ANN)));

        assertThat(view.near()).isEqualTo(view.source());
        assertThat(view.agree()).isFalse();
    }

    @Test
    void aStatusIsShown() {
        CacheView view = CacheView.of(of(new Holding.Value<>(UserStatus.DISABLED), new Holding.Absent<>()));

        assertThat(view.near()).isEqualTo(new CacheView.Holding(CacheView.Held.VALUE, UserStatus.DISABLED, null));
        assertThat(view.source()).isEqualTo(new CacheView.Holding(CacheView.Held.ABSENT, null, null));
    }

    @Test
    void theValueOfAnOwnFacetIsNotShown() {
        CacheView view = CacheView.of(of(new Holding.Value<>("secret"), new Holding.Value<>("secret")));

        assertThat(view.near()).isEqualTo(new CacheView.Holding(CacheView.Held.VALUE, null, null));
        assertThat(view.toString()).doesNotContain("secret");
        assertThat(view.agree()).isTrue();
    }

    @Test
    void emptyFieldsAreLeftOut() {
        JsonMapper mapper = JsonMapper.builder()
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
                .build();
        CacheView view = CacheView.of(Explanation.<UserStatus>builder("user:42:status")
                .shared(new Holding.Value<>(UserStatus.ENABLED))
                .sharedTtl(Duration.ofMillis(61_500))
                .source(new Holding.Unknown<>("the source failed"))
                .build());

        assertThat(mapper.writeValueAsString(view))
                .isEqualTo("{\"key\":\"user:42:status\",\"near\":{\"held\":\"nothing\"},"
                        + "\"shared\":{\"held\":\"value\",\"value\":\"enabled\"},\"shared_ttl\":\"PT1M1.5S\","
                        + "\"guard\":\"none\",\"invalidation_pending\":false,"
                        + "\"source\":{\"held\":\"unknown\",\"reason\":\"the source failed\"},\"agree\":false}");
    }

    private static <V> Explanation<V> of(Holding<V> near, Holding<V> source) {
        return Explanation.<V>builder("user:42:facet")
                .near(near)
                .guard(Guard.FENCE)
                .guardTtl(Duration.ofSeconds(5))
                .source(source)
                .build();
    }
}
