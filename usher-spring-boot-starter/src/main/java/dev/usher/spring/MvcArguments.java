package dev.usher.spring;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.core.MethodParameter;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter;

/** Who fills the parameters of Spring MVC's methods. Apart from its caller, for Spring MVC may not be there. */
final class MvcArguments {

    private MvcArguments() {}

    /** Whether the first resolver that takes a {@link CurrentUser} parameter is usher's, wherever there are resolvers. */
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
