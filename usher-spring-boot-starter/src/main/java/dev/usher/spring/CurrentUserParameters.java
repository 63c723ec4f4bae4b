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
 * Takes every {@link CurrentUser} parameter of Spring MVC, before any other resolver does. Where no bean can say who the current user
 * is, the parameter is refused: Spring would make a user of what the caller sends.
 */
final class CurrentUserParameters implements HandlerMethodArgumentResolver {

    private final @Nullable HandlerMethodArgumentResolver resolver;

    /**
     * A resolver.
     *
     * @param resolver finds the current user; {@code null} where there is none, and each parameter is refused
     */
    CurrentUserParameters(@Nullable HandlerMethodArgumentResolver resolver) {
        this.resolver = resolver;
    }

    /** Whether a parameter has the annotation, or one that has it. */
    static boolean isOne(MethodParameter parameter) {
        return MergedAnnotations.from(parameter.getParameterAnnotations()).isPresent(CurrentUser.class);
    }

    /** The same resolvers behind this one. */
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
                    "No bean can say who the current user is: @CurrentUser needs Spring Security, a UserSource for a cache, usher"
                            + " switched on, and no usher.web.current-user=none");
        }
        return resolver.resolveArgument(parameter, container, request, binders);
    }
}
