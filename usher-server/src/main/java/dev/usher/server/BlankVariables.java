package dev.usher.server;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.springframework.boot.EnvironmentPostProcessor;
import org.springframework.boot.SpringApplication;
import org.springframework.core.Ordered;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.PropertySource;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;

/**
 * Treats a blank environment variable as unset, where it is usher's own: {@code USHER_…}, {@code PORT} or {@code MANAGEMENT_PORT}. A
 * Compose file sets each variable that it names, to a blank where its own environment has none.
 */
final class BlankVariables implements EnvironmentPostProcessor, Ordered {

    private static final String PREFIX = "USHER_";
    private static final Set<String> NAMES = Set.of("PORT", "MANAGEMENT_PORT");

    @Override
    public void postProcessEnvironment(ConfigurableEnvironment environment, SpringApplication application) {
        String name = StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME;
        PropertySource<?> variables = environment.getPropertySources().get(name);
        if (variables != null && variables.getSource() instanceof Map<?, ?> all) {
            Map<String, Object> set = new HashMap<>();
            all.forEach((variable, value) -> {
                if (!isBlank(variable.toString(), value.toString())) {
                    set.put(variable.toString(), value);
                }
            });
            environment.getPropertySources().replace(name, new SystemEnvironmentPropertySource(name, set));
        }
    }

    /** Before Spring Boot reads them. */
    @Override
    public int getOrder() {
        return HIGHEST_PRECEDENCE;
    }

    private static boolean isBlank(String variable, String value) {
        String name = variable.toUpperCase(Locale.ROOT).replace('.', '_').replace('-', '_');
        return value.isBlank() && (name.startsWith(PREFIX) || NAMES.contains(name));
    }
}
