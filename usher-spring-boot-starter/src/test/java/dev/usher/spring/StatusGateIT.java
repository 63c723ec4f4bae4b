package dev.usher.spring;

import static dev.usher.spring.SiteApplication.ANN;
import static dev.usher.spring.SiteApplication.BOB;
import static dev.usher.spring.SiteApplication.CARL;
import static dev.usher.spring.SiteApplication.EVE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.CacheStats;
import dev.usher.UserStatusCache;
import dev.usher.spring.Site.Answer;
import dev.usher.spring.Site.Shared;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

@ExtendWith(OutputCaptureExtension.class)
class StatusGateIT {

    private static final String ANNS_NAME = Long.toString(ANN);
    private static final String BOBS_NAME = Long.toString(BOB);

    private final Site site = Shared.SITE;

    @Test
    void anEnabledUserPasses() {
        site.get("/me", ANNS_NAME).is(200, "Ann");
        site.get("/secret", ANNS_NAME).is(200, "secret");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/me", "/public/me", "/public/maybe", "/other/me", "/nowhere", "/admin/me", "/error"})
    void aDisabledUserIsRefusedWhateverIsAskedFor(String path) {
        site.get(path, BOBS_NAME).isAccountDisabled();
    }

    @ParameterizedTest
    @ValueSource(strings = {"4711", "ops", "partner", "042", "+1", "\u0661"})
    void aCallerThatIsNotAUserIsRefused(String name) {
        site.get("/secret", name).isNotAUser();
        site.get("/public/maybe", name).isNotAUser();
        site.get("/nowhere", name).isNotAUser();
    }

    @ParameterizedTest
    @ValueSource(strings = {"billing", "4712", "partner-7"})
    void aCallerThatIsNotAUserPassesWithAnAuthorityOrAPass(String name) {
        site.get("/secret", name).is(200, "secret");
        site.get("/async", name).is(200, "later");
        site.get("/public/maybe", name).is(200, "no user");
        assertThat(site.get("/admin/me", name).body()).doesNotContain("not-a-user");
    }

    @Test
    void noAuthorityLetsADisabledUserPass() {
        site.get("/secret", Long.toString(EVE)).isAccountDisabled();
    }

    @Test
    void aUserWithoutAKnownStatusDoesNotPass() {
        site.get("/secret", Long.toString(CARL)).isUnavailable();
    }

    @Test
    void springSecurityDecidesOnRequestsWithoutAuthentication() {
        assertThat(site.get("/secret", null).status()).isEqualTo(401);
        site.get("/public/maybe", null).is(200, "no user");
    }

    @Test
    void springSecurityStillDecidesOnAnEnabledUser() {
        Answer answer = site.get("/admin/me", ANNS_NAME);

        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.body()).doesNotContain("account-disabled");
    }

    @Test
    void aNameThatIsNotAnIdIsRefusedAndNotLogged(CapturedOutput log) {
        try (Site site = Site.start()) {
            site.get("/secret", "13800000009x").isNotAUser();
            site.get("/secret", "13800000009x").isNotAUser();
        }

        assertThat(log).containsOnlyOnce("declare a bean of type dev.usher.spring.CurrentUserId");
        assertThat(log).doesNotContain("13800000009");
    }

    @Test
    void anExcludedPathIsOpenToAll() {
        site.get("/open/me", BOBS_NAME).is(200, "Bob");
        site.get("/leave", BOBS_NAME).is(200, "secret");
        site.get("/leave", "ops").is(200, "secret");
        assertThat(site.get("/open/me", null).status()).isEqualTo(401);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/secret;/open/x",
                "/secret;/leave",
                "/open/../secret",
                "/open/%2e%2e/secret",
                "/open/..;/secret",
                "/open/..;x=1/secret",
                "/open/.%2e/secret",
                "//open/../secret",
                "/open//../secret",
                "/open%2f../secret",
                "/open%2f..%2fsecret",
                "/open%252f..%252fsecret",
                "/open/%252e%252e/secret",
                "/open%5c..%5csecret",
                "/leave/../secret",
                "/leave/..;/secret",
                "/secret/leave",
                "/secret/open",
                "/secret?x=/leave",
                "/secret/%2e",
                "/secret/;/open",
            })
    void noSpellingOfAPathGetsPastTheGate(String path) {
        assertThat(site.get(path, BOBS_NAME).body()).doesNotContain("secret\n").isNotEqualTo("secret");
    }

    @Test
    void aDispatchFromAnExcludedPathIsChecked() {
        site.get("/open/dispatch", BOBS_NAME).isAccountDisabled();
        site.get("/open/forward", BOBS_NAME).isAccountDisabled();
        site.get("/open/dispatch", ANNS_NAME).is(200, "secret");
        site.get("/open/forward", ANNS_NAME).is(200, "secret");
    }

    @Test
    void aDisabledUserSeesTheErrorPageOfAnExcludedPath() {
        assertThat(site.get("/open/fail", BOBS_NAME).status()).isEqualTo(418);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/secret", "/async", "/stream"})
    void aRequestIsCheckedOnce(String path) {
        long before = answers();

        assertThat(site.get(path, ANNS_NAME).status()).isEqualTo(200);

        assertThat(answers() - before).isEqualTo(1);
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_21)
    void theGateWorksOnVirtualThreads() {
        try (Site site = Site.start("spring.threads.virtual.enabled=true")) {
            site.get("/me", ANNS_NAME).is(200, "Ann");
            site.get("/async", ANNS_NAME).is(200, "later");
            site.get("/me", BOBS_NAME).isAccountDisabled();
        }
    }

    @Test
    void theGateCanBeSwitchedOff() {
        try (Site site = Site.start("usher.web.status-gate.enabled=false")) {
            site.get("/secret", BOBS_NAME).is(200, "secret");
            site.get("/me", BOBS_NAME).is(200, "Bob");
        }
    }

    private long answers() {
        CacheStats stats = site.bean(UserStatusCache.class).stats();
        return stats.nearHits() + stats.sharedHits() + stats.sourceAnswers();
    }
}
