package dev.usher.spring;

import static dev.usher.spring.SiteApplication.ANN;
import static dev.usher.spring.SiteApplication.BOB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.spring.Site.Answer;
import dev.usher.spring.SiteApplication.Pages;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The endpoint, on its own management port. */
class UsherEndpointIT {

    private static final String OPERATOR = Long.toString(ANN);

    private static Site site;

    @BeforeAll
    static void startSite() {
        site = Site.start("management.server.port=0", "management.endpoints.web.exposure.include=usher");
    }

    @AfterAll
    static void stopSite() {
        site.close();
    }

    @Test
    void itShowsTheStatisticsAndTheHealthOfTheCaches() {
        JsonNode summary = json(call("GET", "", OPERATOR));

        assertThat(summary.path("health").path("redis").asString()).isEqualTo("ANSWERING");
        assertThat(summary.path("health").has("nearOpen")).isTrue();
        assertThat(summary.path("facets").propertyNames()).containsExactly("badges", "profile", "status");
        assertThat(summary.path("facets").path("status").path("loads").isNumber())
                .isTrue();
    }

    @Test
    void itShowsTheEntriesOfAUserWithoutTheMobileNumber() {
        site.bean(Pages.class).profiles().find(ANN);

        Answer answer = call("GET", "/" + ANN, OPERATOR);

        JsonNode held = json(answer);
        assertThat(held.path("profile").path("key").asString()).isEqualTo("user:1:profile");
        assertThat(held.path("profile")
                        .path("shared")
                        .path("value")
                        .path("mobile")
                        .asString())
                .isEqualTo("138****0001");
        assertThat(held.path("profile").path("agree").asBoolean()).isTrue();
        assertThat(held.path("status").path("source").path("value").asString()).isEqualTo("ENABLED");
        assertThat(held.path("badges").path("source").path("held").asString()).isEqualTo("VALUE");
        assertThat(answer.body()).doesNotContain("13800000001").doesNotContain("karma");
    }

    @Test
    void itMakesEveryNodeForgetAUser() {
        site.bean(Pages.class).profiles().find(BOB);

        JsonNode confirmed = json(call("DELETE", "/" + BOB, OPERATOR));

        assertThat(confirmed.path("profile").path("confirmed").asBoolean()).isTrue();
        assertThat(confirmed.path("status").path("confirmed").asBoolean()).isTrue();
        JsonNode held = json(call("GET", "/" + BOB, OPERATOR));
        assertThat(held.path("profile").path("shared").path("held").asString()).isEqualTo("NOTHING");
        assertThat(held.path("profile").path("guard").asString()).isEqualTo("FENCE");
    }

    @Test
    void anInvalidIdIsABadRequest() {
        assertThat(call("GET", "/ann", OPERATOR).status()).isEqualTo(400);
        assertThat(call("DELETE", "/1x", OPERATOR).status()).isEqualTo(400);
    }

    @Test
    void theGateAndSpringSecurityGuardTheManagementPortToo() {
        assertThat(call("GET", "", null).status()).isEqualTo(401);
        call("GET", "", Long.toString(BOB)).isAccountDisabled();
    }

    private static Answer call(String method, String path, @Nullable String name) {
        return site.send(method, "local.management.port", "/actuator/usher" + path, name);
    }

    private static JsonNode json(Answer answer) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return JsonMapper.shared().readTree(answer.body());
    }
}
