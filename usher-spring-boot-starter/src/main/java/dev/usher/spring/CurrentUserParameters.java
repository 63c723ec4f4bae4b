package dev.usher.spring;

import org.jspecify.annotations.Nullable;
import org.springframework.core.MethodParameter;
import org.springframework.core.annotation.MergedAnnotations;
import org.springframework.web.bind.support.WebDataBinderFactory;
import org.springframework.web.context.request.NativeWebRequest;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.method.support.ModelAndViewContainer;

/**
 * The {@link CurrentUser} parameters of an application in which nobody can say who that is. They are refused: Spring would make a
 * user of what the caller sends.
 */
final class CurrentUserParameters implements HandlerMethodArgumentResolver {

    /** Whether a parameter has the annotation, or one that has it. */
    static boolean isOne(MethodParameter parameter) {
        return MergedAnnotations.from(parameter.getParameterAnnotations()).isPresent(CurrentUser.class);
    }

    @Override
    public boolean supportsParameter(MethodParameter parameter) {
        return isOne(parameter);
    }

    @Override
    public Object resolveArgument(
            MethodParameter parameter,
            @Nullable ModelAndViewContainer container,
            NativeWebRequest request,
            @Nullable WebDataBinderFactory binders) {
        throw new IllegalStateException(
                "Nobody can say who the current user is: @CurrentUser needs Spring Security, a UserSource for a cache, and usher"
                        + " switched on");
    }
}
