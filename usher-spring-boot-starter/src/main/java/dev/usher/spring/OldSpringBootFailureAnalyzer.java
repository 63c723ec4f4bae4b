package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports which Spring Boot the starter needs, and what works with an older one. */
final class OldSpringBootFailureAnalyzer extends AbstractFailureAnalyzer<OldSpringBootException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, OldSpringBootException cause) {
        return new FailureAnalysis(
                "usher-spring-boot-starter needs Spring Boot " + RequiredSpringBoot.FIRST
                        + ".0 or newer. This application runs on Spring Boot " + cause.version() + ".",
                "Raise the version of Spring Boot in the build: that of spring-boot-starter-parent, of spring-boot-dependencies, or of"
                        + " the Gradle plugin org.springframework.boot. Or replace usher-spring-boot-starter by usher-core, which needs"
                        + " no Spring, and make the caches with UserCaches.builder().",
                cause);
    }
}
