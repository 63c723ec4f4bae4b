package dev.usher.spring;

import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.NoSuchBeanDefinitionException;
import org.springframework.beans.factory.NoUniqueBeanDefinitionException;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.diagnostics.analyzer.AbstractInjectionFailureAnalyzer;
import org.springframework.core.Ordered;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.core.ResolvableType;
import org.springframework.core.annotation.Order;
import org.springframework.core.env.Environment;

/**
 * Reports why a requested cache does not exist, and what to declare. It comes before Spring Boot's own analyzer, which does not
 * know the reason.
 */
@Order(Ordered.HIGHEST_PRECEDENCE)
final class MissingUserCacheFailureAnalyzer extends AbstractInjectionFailureAnalyzer<NoSuchBeanDefinitionException> {

    private static final Set<Class<?>> ID_TYPES = Set.of(Long.class, Integer.class, UUID.class, String.class);

    private static final ResolvableType ANY = ResolvableType.forType(
                    new ParameterizedTypeReference<UserSource<?, ?>>() {})
            .getGeneric(0);

    private final BeanFactory beans;
    private final Environment environment;

    MissingUserCacheFailureAnalyzer(BeanFactory beans, Environment environment) {
        this.beans = beans;
        this.environment = environment;
    }

    @Override
    protected @Nullable FailureAnalysis analyze(
            Throwable rootFailure, NoSuchBeanDefinitionException cause, @Nullable String injectedInto) {
        ResolvableType type = cause.getResolvableType();
        if (type == null) {
            return null;
        }
        if (cause instanceof NoUniqueBeanDefinitionException several) {
            return type.toClass() == UserSource.class ? severalSources(several, type.getGeneric(1)) : null;
        }
        Class<?> value = valueOf(type);
        return value == null ? null : noCache(cause, type, value, injectedInto);
    }

    /** The type of the values of the missing cache, or {@code null} if the missing bean is not a cache. */
    private static @Nullable Class<?> valueOf(ResolvableType type) {
        if (type.toClass() == UserProfileCache.class) {
            return UserProfile.class;
        }
        if (type.toClass() == UserStatusCache.class) {
            return UserStatus.class;
        }
        return type.toClass() == UserCache.class ? type.getGeneric(1).toClass() : null;
    }

    private FailureAnalysis noCache(
            NoSuchBeanDefinitionException cause, ResolvableType type, Class<?> value, @Nullable String injectedInto) {
        String description = (injectedInto == null ? "A bean" : injectedInto) + " required a cache of the type '" + type
                + "', and there is none: ";
        if (!environment.getProperty("usher.enabled", Boolean.class, true)) {
            return new FailureAnalysis(
                    description + "usher is switched off.",
                    "Remove usher.enabled=false from the settings, or declare a bean for the cache where usher is off.",
                    cause);
        }
        Collection<String> sources = sourcesOf(value);
        Class<?> wanted = type.getGeneric(0).resolve();
        Class<?> held = sources.isEmpty() ? null : idOf(sources.iterator().next());
        if (wanted != null && held != null && wanted != held) {
            return new FailureAnalysis(
                    description + "the source of such values, the bean " + quoted(sources)
                            + ", takes ids of the type " + held.getSimpleName() + ", not "
                            + wanted.getSimpleName() + ".",
                    "Inject the cache with ids of the type " + held.getSimpleName()
                            + ", or change the type of the source's ids to " + wanted.getSimpleName()
                            + settingOf(sources, wanted)
                            + ".",
                    cause);
        }
        if (!sources.isEmpty()) {
            return new FailureAnalysis(
                    description + "the source of such values, the bean " + quoted(sources)
                            + ", takes ids of another type, or there is no Facet for it.",
                    "Inject the cache with the type of the source's ids" + facetOf(value) + ".",
                    cause);
        }
        return new FailureAnalysis(
                description + "there is no UserSource for such values.",
                "Declare a bean of the type UserSource<" + idOf(type) + ", " + value.getSimpleName()
                        + ">, which loads them from the database or service that owns them"
                        + (isSpecified(value) ? ", or set usher.jdbc.table, if a table holds them" : facetOf(value))
                        + ".",
                cause);
    }

    private Collection<String> sourcesOf(Class<?> value) {
        ResolvableType source =
                ResolvableType.forClassWithGenerics(UserSource.class, ANY, ResolvableType.forClass(value));
        return beans instanceof ListableBeanFactory listable
                ? List.of(listable.getBeanNamesForType(source, true, false))
                : List.of();
    }

    /** The type of the ids of a source, if its type declares it. */
    private @Nullable Class<?> idOf(String source) {
        return beans instanceof ListableBeanFactory listable ? UserCacheRegistrar.idOf(source, listable) : null;
    }

    /** The setting for the type of the ids, if settings describe the source. */
    private static String settingOf(Collection<String> sources, Class<?> wanted) {
        return ID_TYPES.contains(wanted)
                        && (sources.contains(UserIdClasses.TABLE_OF_PROFILES)
                                || sources.contains(UserIdClasses.TABLE_OF_STATUSES))
                ? ": set usher.jdbc.id-type=" + UserIdType.of(wanted).setting()
                : "";
    }

    /** The bean that an application's own facet needs in addition. */
    private static String facetOf(Class<?> value) {
        return isSpecified(value) ? "" : ", and declare a bean of the type Facet<" + value.getSimpleName() + ">";
    }

    private static boolean isSpecified(Class<?> value) {
        return value == UserProfile.class || value == UserStatus.class;
    }

    private static String idOf(ResolvableType type) {
        Class<?> id = type.getGeneric(0).resolve();
        return id != null && ID_TYPES.contains(id) ? id.getSimpleName() : "Long";
    }

    private static FailureAnalysis severalSources(NoUniqueBeanDefinitionException cause, ResolvableType value) {
        Collection<String> names = cause.getBeanNamesFound();
        return new FailureAnalysis(
                "There are several sources of " + value.toClass().getSimpleName()
                        + " values, and none of them is @Primary"
                        + (names == null ? "." : ": the beans " + quoted(names) + "."),
                "A facet has one source. Make one of them @Primary, or remove the others from the context.",
                cause);
    }

    private static String quoted(Collection<String> names) {
        return names.stream().sorted().collect(Collectors.joining("', '", "'", "'"));
    }
}
