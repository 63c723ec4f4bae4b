package dev.usher.spring;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatusCache;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** The reports on applications that do not start because of a mistake. */
@ExtendWith(OutputCaptureExtension.class)
class FailedStartTest {

    @Test
    void aCacheWithoutASourceNamesTheBeanToDeclare(CapturedOutput log) {
        assertFails(Usher.class, NeedsProfiles.class);

        assertThat(log)
                .contains("APPLICATION FAILED TO START")
                .contains("there is no UserSource for such values")
                // Spring Boot formats the number before this text with the default locale.
                .contains(" of constructor in " + NeedsProfiles.class.getName())
                .contains("Declare a bean of the type UserSource<Long, UserProfile>")
                .contains("usher.jdbc.table");
    }

    @Test
    void theBeanToDeclareHasTheInjectedTypeOfIds(CapturedOutput log) {
        assertFails(Usher.class, NeedsStatusesByText.class);

        assertThat(log).contains("Declare a bean of the type UserSource<String, UserStatus>");
    }

    @Test
    void anOwnFacetNeedsASourceAndAFacet(CapturedOutput log) {
        assertFails(Usher.class, NeedsBadges.class);

        assertThat(log)
                .contains("Declare a bean of the type UserSource<Long, Badges>")
                .contains("Facet<Badges>")
                .doesNotContain("usher.jdbc.table");
    }

    @Test
    void aCacheWithUsherSwitchedOffNamesTheSetting(CapturedOutput log) {
        assertFails(new Class<?>[] {Usher.class, NeedsProfiles.class}, "usher.enabled=false");

        assertThat(log).contains("usher is switched off").contains("Remove usher.enabled=false from the settings");
    }

    @Test
    void sourcesThatClashAreNamed(CapturedOutput log) {
        assertFails(Usher.class, TwoSources.class);

        assertThat(log)
                .contains("There are several sources of UserProfile values")
                .contains("'one', 'other'")
                .contains("@Primary");
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://usher:s3cret@127.0.0.1", "redis://usher:s3cret@a host", "s3cret"})
    void aUrlOfRedisThatCannotBeReadIsNotShown(String url, CapturedOutput log) {
        assertFails(new Class<?>[] {Usher.class}, "spring.data.redis.url=" + url);

        assertThat(log)
                .contains("APPLICATION FAILED TO START")
                .contains("spring.data.redis.url is not the address of a Redis")
                .contains("redis://user:password@host:6379/0")
                .doesNotContain("s3c");
    }

    @ParameterizedTest
    @ValueSource(strings = {"redis-sentinel://:s3cret@127.0.0.1:1", "redis-cluster://:s3cret@127.0.0.1:1/3"})
    void aUrlOfUshersOwnThatCannotBeReadIsNotShown(String url, CapturedOutput log) {
        assertFails(new Class<?>[] {Usher.class}, "usher.redis.url=" + url);

        assertThat(log)
                .contains("APPLICATION FAILED TO START")
                .contains("usher.redis.url is not the address of a Redis")
                .contains("redis-sentinel://host:26379,host:26379#master")
                .contains("redis-cluster://host:7001,host:7001, without a database")
                .doesNotContain("s3c");
    }

    @Test
    void aReactiveApplicationNamesTheSettingForTheCachesAlone(CapturedOutput log) {
        assertFails(WebApplicationType.REACTIVE, "spring.data.redis.url=redis://127.0.0.1:1", CurrentUsers.class);

        assertThat(log)
                .contains("APPLICATION FAILED TO START")
                .contains("This is a reactive web application")
                .contains("Set usher.web.current-user=none to use the caches alone");
    }

    @Test
    void aParameterThatWouldBeFilledFromAMessageIsNamed(CapturedOutput log) {
        assertFails(CurrentUsers.class, Listener.class);

        assertThat(log)
                .contains("APPLICATION FAILED TO START")
                .contains("They would be filled from the request: parameter 1 of " + Listener.class.getName()
                        + ".listen: ")
                .contains("Remove @CurrentUser from these parameters");
    }

    @Test
    void anOwnGateOfAnotherTypeNamesTheRequiredType() {
        UnfitStatusGateException failure = new UnfitStatusGateException();
        assertThat(requireNonNull(new UnfitStatusGateFailureAnalyzer().analyze(failure, failure))
                        .getAction())
                .contains("Declare it as Customizer<HttpSecurity>");
    }

    private static void assertFails(Class<?>... sources) {
        assertFails(sources, "spring.data.redis.url=redis://127.0.0.1:1");
    }

    private static void assertFails(Class<?>[] sources, String setting) {
        assertFails(WebApplicationType.NONE, setting, sources);
    }

    private static void assertFails(WebApplicationType type, String setting, Class<?>... sources) {
        assertThatThrownBy(() -> new SpringApplicationBuilder(sources)
                        .web(type)
                        .registerShutdownHook(false)
                        .run("--spring.main.banner-mode=off", "--" + setting))
                .isNotNull();
    }

    record Badges(int karma) {}

    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration(UsherAutoConfiguration.class)
    static class Usher {}

    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration(UsherCurrentUserAutoConfiguration.class)
    static class CurrentUsers {}

    static class Listener {

        void listen(String text, @CurrentUser UserProfile me) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class NeedsProfiles {

        NeedsProfiles(UserProfileCache<Long> profiles) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class NeedsStatusesByText {

        NeedsStatusesByText(UserStatusCache<String> statuses) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class NeedsBadges {

        NeedsBadges(UserCache<Long, Badges> badges) {}
    }

    @Configuration(proxyBeanMethods = false)
    static class TwoSources {

        @Bean
        UserSource<Long, UserProfile> one() {
            return ids -> Map.of();
        }

        @Bean
        UserSource<Long, UserProfile> other() {
            return ids -> Map.of();
        }
    }
}
