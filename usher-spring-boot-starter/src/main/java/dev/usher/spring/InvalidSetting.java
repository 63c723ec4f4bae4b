package dev.usher.spring;

import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;

/** The failure of a start on a setting that another layer has refused. */
final class InvalidSetting {

    private InvalidSetting() {}

    /**
     * The exception that Spring Boot reports.
     *
     * @param refusal added as a suppressed exception, not as the cause: Spring Boot 4.0 has no public constructor with a cause
     */
    static InvalidConfigurationPropertyValueException of(
            String property, @Nullable Object value, String reason, RuntimeException refusal) {
        var invalid = new InvalidConfigurationPropertyValueException(property, value, reason);
        invalid.addSuppressed(refusal);
        return invalid;
    }
}
