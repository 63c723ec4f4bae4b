package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class UsherJdbcPropertiesTest {

    @Test
    void theDefaultColumnsAreThoseOfTheSpecification() {
        assertThat(bind(Map.of("usher.jdbc.table", "users")))
                .isEqualTo(new UsherJdbcProperties(
                        "users",
                        null,
                        new UsherJdbcProperties.Columns(
                                "id",
                                "mobile",
                                "name",
                                "profile_photo",
                                "is_media",
                                "introduction",
                                "certificate",
                                "status"),
                        Duration.ofSeconds(2),
                        null,
                        true));
    }

    @Test
    void everySettingIsReadFromText() {
        assertThat(bind(Map.ofEntries(
                        Map.entry("usher.jdbc.table", "app.\"user\""),
                        Map.entry("usher.jdbc.id-type", "uuid"),
                        Map.entry("usher.jdbc.query-timeout", "500ms"),
                        Map.entry("usher.jdbc.data-source", "primary"),
                        Map.entry("usher.jdbc.check-at-start", "false"),
                        Map.entry("usher.jdbc.columns.id", "user_id"),
                        Map.entry("usher.jdbc.columns.mobile", "phone"),
                        Map.entry("usher.jdbc.columns.name", "nick"),
                        Map.entry("usher.jdbc.columns.profile-photo", "avatar"),
                        Map.entry("usher.jdbc.columns.is-media", "media"),
                        Map.entry("usher.jdbc.columns.introduction", ""),
                        Map.entry("usher.jdbc.columns.certificate", "occupation"),
                        Map.entry("usher.jdbc.columns.status", "enabled"))))
                .isEqualTo(new UsherJdbcProperties(
                        "app.\"user\"",
                        UserIdType.UUID,
                        new UsherJdbcProperties.Columns(
                                "user_id", "phone", "nick", "avatar", "media", "", "occupation", "enabled"),
                        Duration.ofMillis(500),
                        "primary",
                        false));
    }

    @ParameterizedTest
    @CsvSource({
        "usher.jdbc.table, ''",
        "usher.jdbc.table, users; DROP TABLE users",
        "usher.jdbc.query-timeout, 0s",
        "usher.jdbc.query-timeout, -1s",
        "usher.jdbc.columns.id, ''",
        "usher.jdbc.columns.id, users.id",
        "usher.jdbc.columns.mobile, 1",
        "usher.jdbc.columns.name, password AS name",
        "usher.jdbc.columns.profile-photo, a--",
        "usher.jdbc.columns.is-media, (SELECT true)",
        "usher.jdbc.columns.introduction, a/**/",
        "usher.jdbc.columns.certificate, a;b",
        "usher.jdbc.columns.status, 1=1",
    })
    void anUnsafeNameIsRefusedWithItsProperty(String property, String value) {
        Map<String, String> settings = new HashMap<>(Map.of("usher.jdbc.table", "users"));
        settings.put(property, value);

        assertThatThrownBy(() -> bind(settings))
                .rootCause()
                .isInstanceOfSatisfying(
                        InvalidConfigurationPropertyValueException.class,
                        e -> assertThat(e.getName()).isEqualTo(property));
    }

    private static UsherJdbcProperties bind(Map<String, String> settings) {
        return new Binder(new MapConfigurationPropertySource(settings))
                .bindOrCreate("usher.jdbc", UsherJdbcProperties.class);
    }
}
