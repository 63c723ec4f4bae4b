package dev.usher.spring;

import java.util.ArrayList;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.security.web.servlet.util.matcher.PathPatternRequestMatcher;
import org.springframework.security.web.util.matcher.OrRequestMatcher;
import org.springframework.security.web.util.matcher.RequestMatcher;

/**
 * The settings under {@code usher.web}: what usher does with the requests of a servlet application.
 *
 * @param statusGate Which requests are refused because of who makes them.
 */
@ConfigurationProperties("usher.web")
public record UsherWebProperties(@DefaultValue StatusGate statusGate) {

    /**
     * Which requests are refused because of who makes them.
     *
     * @param enabled Whether disabled users, and users who do not exist, are refused on every authenticated request.
     * @param excludedPaths Patterns of the paths, below the context path, at which nobody is refused for that reason.
     */
    public record StatusGate(
            @DefaultValue("true") boolean enabled,
            @DefaultValue List<String> excludedPaths) {

        public StatusGate {
            excludedPaths = List.copyOf(excludedPaths);
        }

        RequestMatcher excluded() {
            List<RequestMatcher> paths = new ArrayList<>();
            for (int i = 0; i < excludedPaths.size(); i++) {
                paths.add(matcher("usher.web.status-gate.excluded-paths[" + i + "]", excludedPaths.get(i)));
            }
            return paths.isEmpty() ? request -> false : new OrRequestMatcher(paths);
        }

        private static RequestMatcher matcher(String property, String pattern) {
            try {
                return PathPatternRequestMatcher.pathPattern(pattern);
            } catch (IllegalArgumentException e) {
                throw InvalidSetting.of(
                        property,
                        pattern,
                        "It should be a path pattern, such as /logout or /public/**: " + e.getMessage(),
                        e);
            }
        }
    }
}
