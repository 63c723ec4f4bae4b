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
 * Fails the start of an application with a {@link CurrentUser} parameter that usher does not fill. A framework that does not
 * know the annotation treats such a parameter as data, and fills it from the request or the message.
 *
 * <p>Only parameters of Spring MVC methods pass, and only if usher's resolver is the first one that supports them. All other
 * methods are refused, whatever calls them: a list of frameworks would never be complete.
 *
 * <p>A parameter that is to be the user's id must be of the type of the ids.
 */
final class CurrentUserParameterCheck implements SmartInitializingSingleton {

    /** The annotations of methods that Spring MVC calls. WebFlux uses the same ones. */
    private static final List<String> WEB = List.of(
            "org.springframework.web.bind.annotation.RequestMapping",
            "org.springframework.web.bind.annotation.ModelAttribute",
            "org.springframework.web.bind.annotation.InitBinder",
            "org.springframework.web.bind.annotation.ExceptionHandler",
            "org.springframework.web.service.annotation.HttpExchange");

    /** The packages of annotations with which other frameworks call methods, with their own arguments. */
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

    /** The classes of all beans, including lazy ones: frameworks find handler methods by class, without an instance. */
    private Set<Class<?>> types() {
        Set<Class<?>> types = new LinkedHashSet<>();
        for (String name : beans.getBeanNamesForType(Object.class, true, false)) {
            add(types, beans.getType(name, false));
            if (beans.containsBeanDefinition(name)) {
                // For a proxy, also the class behind it.
                add(types, AutoProxyUtils.determineTargetClass(beans, name));
            }
        }
        return types;
    }

    /** Skips classes of Spring and Java: they do not use usher's annotation. */
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
            // Methods that a bean inherits from a class of Java, such as an enum or a thread, are not open to
            // reflection.
            MethodFilter withParameters = method -> method.getParameterCount() > 0
                    && !method.getDeclaringClass().getName().startsWith("java.");
            for (Method method : MethodIntrospector.selectMethods(type, withParameters)) {
                for (MethodParameter parameter : new AnnotatedMethod(method).getMethodParameters()) {
                    if (CurrentUserParameters.isOne(parameter)) {
                        found.add(parameter);
                    }
                }
            }
        } catch (IllegalStateException | LinkageError e) {
            // The class refers to a missing type, so no framework can find its methods either.
            return List.of();
        }
        return found;
    }

    /** Why a parameter would not be the current user, or {@code null} if usher fills it or no framework calls the method. */
    private @Nullable String refusal(MethodParameter parameter) {
        MergedAnnotations annotations =
                MergedAnnotations.from(parameter.getAnnotatedElement(), SearchStrategy.TYPE_HIERARCHY);
        if (WEB.stream().noneMatch(annotations::isPresent)) {
            return "Spring MVC does not call the method, and the framework that calls it does not know @CurrentUser";
        }
        String other = annotations.stream()
                .map(annotation -> annotation.getType().getName())
                .filter(name -> OTHERS.stream().anyMatch(name::startsWith))
                .findFirst()
                .orElse(null);
        if (other != null) {
            return "the method is called by Spring MVC, and also, because of @" + ClassUtils.getShortName(other)
                    + ", by another framework, which does not know @CurrentUser";
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
