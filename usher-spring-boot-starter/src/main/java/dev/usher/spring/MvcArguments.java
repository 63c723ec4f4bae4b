package dev.usher.spring;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.core.MethodParameter;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter;

/** The argument resolvers of Spring MVC. A class of its own, because Spring MVC may be absent. */
final class MvcArguments {

    private MvcArguments() {}

    /** Whether the first resolver that supports a {@link CurrentUser} parameter is usher's, in every bean with resolvers. */
    static boolean areServedByUsher(ListableBeanFactory beans, MethodParameter parameter) {
        return beans.getBeansOfType(RequestMappingHandlerAdapter.class, true, false).values().stream()
                .allMatch(adapter -> isUshersFirst(adapter.getArgumentResolvers(), parameter)
                        && isUshersFirst(adapter.getInitBinderArgumentResolvers(), parameter));
    }

    private static boolean isUshersFirst(
            @Nullable List<HandlerMethodArgumentResolver> resolvers, MethodParameter parameter) {
        return resolvers != null
                && resolvers.stream()
                        .filter(resolver -> resolver.supportsParameter(parameter))
                        .findFirst()
                        .filter(CurrentUserParameters.class::isInstance)
                        .isPresent();
    }
}
