package dev.usher.spring;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.SpringBootVersion;
import org.springframework.boot.context.event.ApplicationEnvironmentPreparedEvent;
import org.springframework.context.ApplicationListener;

/**
 * Fails the start of an application on a Spring Boot that is too old, before a missing class does.
 *
 * <p>Spring Boot 3 loads this class and the two that it refers to, so they use only classes with the same name in both
 * versions. The environment is prepared before any auto-configuration is read, and failures are analyzed from this event on.
 */
final class RequiredSpringBoot implements ApplicationListener<ApplicationEnvironmentPreparedEvent> {

    /** The first major version whose classes have the names that the starter imports. */
    static final int FIRST = 4;

    private static final Pattern MAJOR = Pattern.compile("(\\d{1,9})\\..*");

    @Override
    public void onApplicationEvent(ApplicationEnvironmentPreparedEvent event) {
        require(SpringBootVersion.getVersion());
    }

    /** Accepts a version that is unknown, or not in the format of Spring Boot. */
    static void require(@Nullable String version) {
        if (version == null) {
            return;
        }
        Matcher major = MAJOR.matcher(version);
        if (major.matches() && Integer.parseInt(major.group(1)) < FIRST) {
            throw new OldSpringBootException(version);
        }
    }
}
