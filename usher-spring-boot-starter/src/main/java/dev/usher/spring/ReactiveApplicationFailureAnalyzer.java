package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports what is missing in a reactive application, and how to use the caches alone. */
final class ReactiveApplicationFailureAnalyzer extends AbstractFailureAnalyzer<ReactiveApplicationException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, ReactiveApplicationException cause) {
        return new FailureAnalysis(
                "This is a reactive web application. usher-spring-boot-starter has no status gate there yet, so that disabled users"
                        + " would not be refused, and no @CurrentUser, so that such a parameter would hold what the caller sends.",
                "Set usher.web.current-user=none to use the caches alone: the application itself then asks UserStatusCache whether a"
                        + " caller is enabled, and the health says that nothing else does. Or make it a servlet application, with"
                        + " spring-boot-starter-webmvc in place of spring-boot-starter-webflux.",
                cause);
    }
}
