package dev.usher.server.web;

import java.util.Map;
import org.springframework.boot.EnvironmentPostProcessor;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.actuate.autoconfigure.web.server.ManagementPortType;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;

/** Binds an actuator on a port of its own, where parts need no token, to loopback unless the settings say otherwise. */
final class ManagementAddress implements EnvironmentPostProcessor {

    private static final String ADDRESS = "management.server.address";

    @Override
    public void postProcessEnvironment(ConfigurableEnvironment environment, SpringApplication application) {
        // Without a port of its own, Spring Boot refuses an address of its own.
        if (ManagementPortType.get(environment) == ManagementPortType.DIFFERENT) {
            environment
                    .getPropertySources()
                    .addLast(new MapPropertySource("managementAddress", Map.of(ADDRESS, "127.0.0.1")));
        }
    }
}
