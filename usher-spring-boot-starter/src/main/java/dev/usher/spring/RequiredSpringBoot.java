package dev.usher.spring;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.SpringBootVersion;
import org.springframework.boot.context.event.ApplicationEnvironmentPreparedEvent;
import org.springframework.context.ApplicationListener;

/**
 * Fails the start of an application on a Spring Boot that is too old, before a class of the starter is missed there.
 *
 * <p>This class and the two that it leads to are loaded by Spring Boot 3 as well, so they use only what has the same name in both.
 * The environment is prepared before any auto-configuration is read, and a failure from here on is analyzed.
 */
final class RequiredSpringBoot implements ApplicationListener<ApplicationEnvironmentPreparedEvent> {

    /** The first major version in which the starter's classes of Spring Boot have the names by which they are imported. */
    static final int FIRST = 4;

    private static final Pattern MAJOR = Pattern.compile("(\\d{1,9})\\..*");

    @Override
    public void onApplicationEvent(ApplicationEnvironmentPreparedEvent event) {
        require(SpringBootVersion.getVersion());
    }

    /** A version that is not known, or not written as Spring Boot writes its own, is taken for one that will do. */
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
