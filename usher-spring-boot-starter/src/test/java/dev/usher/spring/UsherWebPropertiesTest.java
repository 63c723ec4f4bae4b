package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.usher.spring.UsherWebProperties.CurrentUserFrom;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class UsherWebPropertiesTest {

    @Test
    void byDefaultTheGateIsOnWithoutExcludedPaths() {
        UsherWebProperties defaults = bind(Map.of());

        assertThat(defaults.statusGate().enabled()).isTrue();
        assertThat(defaults.statusGate().excludedPaths()).isEmpty();
        assertThat(defaults.statusGate().passAuthorities()).isEmpty();
        assertThat(defaults.currentUser()).isEqualTo(CurrentUserFrom.AUTHENTICATION);
        assertThat(defaults.revocation().endConnections()).isTrue();
        assertThat(defaults.revocation().endSessions()).isTrue();
    }

    @Test
    void everySettingIsReadFromText() {
        UsherWebProperties properties = bind(Map.of(
                "usher.web.status-gate.enabled", "false",
                "usher.web.status-gate.excluded-paths", "/logout,/public/**",
                "usher.web.status-gate.pass-authorities", "SCOPE_billing,ROLE_OPERATOR",
                "usher.web.current-user", "none",
                "usher.web.revocation.end-connections", "false",
                "usher.web.revocation.end-sessions", "false"));

        assertThat(properties.statusGate().enabled()).isFalse();
        assertThat(properties.statusGate().excludedPaths()).containsExactly("/logout", "/public/**");
        assertThat(properties.statusGate().passAuthorities()).containsExactly("SCOPE_billing", "ROLE_OPERATOR");
        assertThat(properties.currentUser()).isEqualTo(CurrentUserFrom.NONE);
        assertThat(properties.revocation().endConnections()).isFalse();
        assertThat(properties.revocation().endSessions()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"logout", "", "/a/{b", "/**/a/**/b"})
    void anInvalidPathPatternIsRefusedWithItsProperty(String pattern) {
        UsherWebProperties properties = bind(Map.of(
                "usher.web.status-gate.excluded-paths[0]",
                "/logout",
                "usher.web.status-gate.excluded-paths[1]",
                pattern));

        InvalidConfigurationPropertyValueException refusal = catchThrowableOfType(
                InvalidConfigurationPropertyValueException.class,
                () -> ExcludedPaths.matcher(properties.statusGate().excludedPaths()));

        assertThat(refusal.getName()).isEqualTo("usher.web.status-gate.excluded-paths[1]");
        assertThat(refusal.getReason()).startsWith("It should be a path pattern, such as /logout or /public/**");
    }

    private static UsherWebProperties bind(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings))
                .bindOrCreate("usher.web", UsherWebProperties.class);
    }
}
