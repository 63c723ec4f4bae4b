package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports what is missing in a reactive application, and how to use the caches alone. */
final class ReactiveApplicationFailureAnalyzer extends AbstractFailureAnalyzer<ReactiveApplicationException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, ReactiveApplicationException cause) {
        return new FailureAnalysis(
                "This is a reactive web application, in which usher-spring-boot-starter has neither a status gate nor @CurrentUser"
                        + " yet. Disabled users would not be refused, and a parameter with @CurrentUser would be filled from the"
                        + " request.",
                "Set usher.web.current-user=none to use the caches alone: the application itself must then ask UserStatusCache"
                        + " whether a caller is enabled, and health shows that usher does not. Or make it a servlet application,"
                        + " with spring-boot-starter-webmvc in place of spring-boot-starter-webflux.",
                cause);
    }
}
