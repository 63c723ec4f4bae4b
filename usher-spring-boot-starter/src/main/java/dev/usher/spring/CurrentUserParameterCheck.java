package dev.usher.spring;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.aop.framework.autoproxy.AutoProxyUtils;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.core.MethodIntrospector;
import org.springframework.core.MethodParameter;
import org.springframework.core.annotation.AnnotatedMethod;
import org.springframework.core.annotation.MergedAnnotations;
import org.springframework.core.annotation.MergedAnnotations.SearchStrategy;
import org.springframework.util.ClassUtils;
import org.springframework.util.ReflectionUtils.MethodFilter;

/**
 * Fails the start of an application with a {@link CurrentUser} parameter that usher does not fill. Every framework that does not
 * know the annotation takes such a parameter for data, and fills it from the request or the message.
 *
 * <p>The only parameters that pass are those of methods of Spring MVC, and only while usher's resolver is the first one there that
 * takes them. All other methods are refused, whatever calls them: no list of frameworks would be complete.
 *
 * <p>A parameter that is to be the user's id must be of the type of the ids.
 */
final class CurrentUserParameterCheck implements SmartInitializingSingleton {

    /** The annotations of methods that Spring MVC calls. WebFlux has the same. */
    private static final List<String> WEB = List.of(
            "org.springframework.web.bind.annotation.RequestMapping",
            "org.springframework.web.bind.annotation.ModelAttribute",
            "org.springframework.web.bind.annotation.InitBinder",
            "org.springframework.web.bind.annotation.ExceptionHandler",
            "org.springframework.web.service.annotation.HttpExchange");

    /** The packages of annotations by which another framework calls a method as well, with arguments of its own. */
    private static final List<String> OTHERS = List.of(
            "org.springframework.messaging.",
            "org.springframework.graphql.",
            "org.springframework.boot.actuate.endpoint.");

    private static final String MVC =
            "org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping";
    private static final String WEBFLUX =
            "org.springframework.web.reactive.result.method.annotation.RequestMappingHandlerMapping";

    private final ConfigurableListableBeanFactory beans;

    CurrentUserParameterCheck(ConfigurableListableBeanFactory beans) {
        this.beans = beans;
    }

    @Override
    public void afterSingletonsInstantiated() {
        Set<Class<?>> types = types();
        List<UnservedCurrentUserException.Parameter> unserved = new ArrayList<>();
        for (Class<?> type : types) {
            for (MethodParameter parameter : parametersOf(type)) {
                String reason = refusal(parameter);
                if (reason != null) {
                    unserved.add(new UnservedCurrentUserException.Parameter(nameOf(type, parameter), reason));
                } else {
                    UserIdClasses.requireIdOf(parameter, nameOf(type, parameter), beans);
                }
            }
        }
        if (!unserved.isEmpty()) {
            throw new UnservedCurrentUserException(unserved);
        }
    }

    /** The classes of all beans, lazy ones too: frameworks look for handler methods in the class, and need no instance. */
    private Set<Class<?>> types() {
        Set<Class<?>> types = new LinkedHashSet<>();
        for (String name : beans.getBeanNamesForType(Object.class, true, false)) {
            add(types, beans.getType(name, false));
            if (beans.containsBeanDefinition(name)) {
                // Of a proxy, the class behind it.
                add(types, AutoProxyUtils.determineTargetClass(beans, name));
            }
        }
        return types;
    }

    /** The annotation is usher's own, and no class of Spring or Java has it. */
    private static void add(Set<Class<?>> types, @Nullable Class<?> type) {
        if (type != null
                && !type.getName().startsWith("org.springframework.")
                && !type.getName().startsWith("java.")) {
            types.add(ClassUtils.getUserClass(type));
        }
    }

    private static List<MethodParameter> parametersOf(Class<?> type) {
        List<MethodParameter> found = new ArrayList<>();
        try {
            MethodFilter withParameters = method -> method.getParameterCount() > 0;
            for (Method method : MethodIntrospector.selectMethods(type, withParameters)) {
                for (MethodParameter parameter : new AnnotatedMethod(method).getMethodParameters()) {
                    if (CurrentUserParameters.isOne(parameter)) {
                        found.add(parameter);
                    }
                }
            }
        } catch (IllegalStateException | LinkageError e) {
            // The class names a type that is not there: no framework can find its methods either.
            return List.of();
        }
        return found;
    }

    /** Why a parameter would not be the current user, or {@code null} when usher fills it, or nothing calls the method. */
    private @Nullable String refusal(MethodParameter parameter) {
        MergedAnnotations annotations =
                MergedAnnotations.from(parameter.getAnnotatedElement(), SearchStrategy.TYPE_HIERARCHY);
        if (WEB.stream().noneMatch(annotations::isPresent)) {
            return "the method is none that Spring MVC calls, and what else calls it does not know @CurrentUser";
        }
        String other = annotations.stream()
                .map(annotation -> annotation.getType().getName())
                .filter(name -> OTHERS.stream().anyMatch(name::startsWith))
                .findFirst()
                .orElse(null);
        if (other != null) {
            return "the method is called by Spring MVC, and because of @" + ClassUtils.getShortName(other)
                    + " by another framework as well, which does not know @CurrentUser";
        }
        if (hasBean(WEBFLUX)) {
            return "Spring WebFlux calls the method, and would fill the parameter from the request";
        }
        if (hasBean(MVC) && !MvcArguments.areServedByUsher(beans, parameter)) {
            return "another argument resolver of Spring MVC takes the parameter before usher's";
        }
        return null;
    }

    private boolean hasBean(String type) {
        ClassLoader loader = beans.getBeanClassLoader();
        return ClassUtils.isPresent(type, loader)
                && beans.getBeanNamesForType(ClassUtils.resolveClassName(type, loader), true, false).length > 0;
    }

    private static String nameOf(Class<?> type, MethodParameter parameter) {
        Method method = parameter.getMethod();
        return "parameter " + parameter.getParameterIndex() + " of " + type.getName() + "."
                + (method == null ? "" : method.getName());
    }
}
