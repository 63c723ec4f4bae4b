package dev.usher.spring;

import static dev.usher.spring.SiteApplication.ANN;
import static dev.usher.spring.SiteApplication.BOB;
import static dev.usher.spring.SiteApplication.CARL;
import static dev.usher.spring.SiteApplication.DORA;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.spring.Site.Shared;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CurrentUserIT {

    private static final String ANNS_NAME = Long.toString(ANN);
    private static final String BOBS_NAME = Long.toString(BOB);
    private static final String CARLS_NAME = Long.toString(CARL);
    private static final String ABSENT_NAME = "4711";

    private final Site site = Shared.SITE;

    @Test
    void aControllerGetsTheRequestedValueOfTheCaller() {
        site.get("/public/me", ANNS_NAME).is(200, "Ann");
        site.get("/public/maybe", ANNS_NAME).is(200, "Ann");
        site.get("/public/status", ANNS_NAME).is(200, "ENABLED");
        site.get("/public/maybe-status", ANNS_NAME).is(200, "ENABLED");
        site.get("/public/id", ANNS_NAME).is(200, "1=1");
        site.get("/public/badges", ANNS_NAME).is(200, "karma 7");
        site.get("/open/status", BOBS_NAME).is(200, "DISABLED");
    }

    @Test
    void requestParametersDoNotMatter() {
        site.get("/public/me?name=Eve&mobile=13800000001&id=2", ANNS_NAME).is(200, "Ann");
        assertThat(site.get("/public/me?name=Eve&mobile=13800000001", null).status())
                .isEqualTo(401);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/public/me", "/public/status", "/public/id"})
    void aRequestWithoutAuthenticationIsSentToLogIn(String path) {
        var answer = site.get(path, null);

        assertThat(answer.status()).isEqualTo(401);
        assertThat(answer.response().headers().firstValue("WWW-Authenticate")).isPresent();
    }

    @Test
    void aRequestWithoutAuthenticationLeavesAnOptionalEmpty() {
        site.get("/public/maybe", null).is(200, "no user");
        site.get("/public/maybe-status", null).is(200, "no user");
    }

    @ParameterizedTest
    @ValueSource(strings = {ABSENT_NAME, "ops"})
    void anAbsentUserIsForbiddenWhereTheGateIsOpen(String name) {
        assertThat(site.get("/open/me", name).status()).isEqualTo(403);
        assertThat(site.get("/open/status", name).status()).isEqualTo(403);
        site.get("/open/maybe", name).is(200, "no user");
        site.get("/open/maybe-status", name).is(200, "no user");
    }

    @Test
    void aSourceThatFailsIsAnsweredWith503() {
        site.get("/open/me", CARLS_NAME).isUnavailable();
        site.get("/open/maybe", CARLS_NAME).isUnavailable();
        site.get("/open/status", CARLS_NAME).isUnavailable();
        site.get("/me", Long.toString(DORA)).isUnavailable();
        site.get("/public/broken", null).isUnavailable();
    }

    @Test
    void aParameterThatNoCacheKnowsIsAFaultOfTheApplication() {
        assertThat(site.get("/public/list", ANNS_NAME).status()).isEqualTo(500);
    }
}
