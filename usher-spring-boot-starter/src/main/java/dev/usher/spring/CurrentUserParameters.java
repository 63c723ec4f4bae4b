package dev.usher.spring;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.core.MethodParameter;
import org.springframework.core.annotation.MergedAnnotations;
import org.springframework.web.bind.support.WebDataBinderFactory;
import org.springframework.web.context.request.NativeWebRequest;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.method.support.ModelAndViewContainer;

/**
 * Resolves every {@link CurrentUser} parameter of Spring MVC, before any other resolver. Without a bean that knows the current
 * user, the parameter is refused: otherwise Spring would build a user from what the caller sends.
 */
final class CurrentUserParameters implements HandlerMethodArgumentResolver {

    private final @Nullable HandlerMethodArgumentResolver resolver;

    /**
     * A resolver.
     *
     * @param resolver finds the current user; {@code null} to refuse every such parameter
     */
    CurrentUserParameters(@Nullable HandlerMethodArgumentResolver resolver) {
        this.resolver = resolver;
    }

    /** Whether a parameter has the annotation, directly or as a meta-annotation. */
    static boolean isOne(MethodParameter parameter) {
        return MergedAnnotations.from(parameter.getParameterAnnotations()).isPresent(CurrentUser.class);
    }

    /** This resolver, followed by the others. */
    List<HandlerMethodArgumentResolver> before(@Nullable List<HandlerMethodArgumentResolver> others) {
        List<HandlerMethodArgumentResolver> all = new ArrayList<>(List.of(this));
        if (others != null) {
            all.addAll(others);
        }
        return all;
    }

    @Override
    public boolean supportsParameter(MethodParameter parameter) {
        return isOne(parameter);
    }

    @Override
    public @Nullable Object resolveArgument(
            MethodParameter parameter,
            @Nullable ModelAndViewContainer container,
            NativeWebRequest request,
            @Nullable WebDataBinderFactory binders)
            throws Exception {
        if (resolver == null) {
            throw new IllegalStateException(
                    "No bean supplies the current user: @CurrentUser needs Spring Security, a UserSource for a cache, usher"
                            + " switched on, and no usher.web.current-user=none");
        }
        return resolver.resolveArgument(parameter, container, request, binders);
    }
}
