package dev.usher.spring;

import java.util.ArrayList;
import java.util.List;
import org.springframework.security.web.servlet.util.matcher.PathPatternRequestMatcher;
import org.springframework.security.web.util.matcher.OrRequestMatcher;
import org.springframework.security.web.util.matcher.RequestMatcher;

/** The requests that the status gate does not check. */
final class ExcludedPaths {

    private ExcludedPaths() {}

    static RequestMatcher matcher(List<String> patterns) {
        List<RequestMatcher> paths = new ArrayList<>();
        for (int i = 0; i < patterns.size(); i++) {
            paths.add(matcher("usher.web.status-gate.excluded-paths[" + i + "]", patterns.get(i)));
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
