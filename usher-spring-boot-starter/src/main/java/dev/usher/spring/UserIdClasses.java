package dev.usher.spring;

import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.beans.factory.support.BeanDefinitionRegistry;
import org.springframework.beans.factory.support.BeanDefinitionRegistryPostProcessor;
import org.springframework.beans.factory.support.RootBeanDefinition;
import org.springframework.core.MethodParameter;
import org.springframework.core.Ordered;
import org.springframework.core.ResolvableType;
import org.springframework.core.env.Environment;
import org.springframework.util.ClassUtils;

/**
 * Determines the type of users' ids, from the types of the sources and the settings, before any bean is created.
 *
 * <p>It gives the caches of the specification their full types, so that Spring refuses to inject a cache with another type of
 * ids. Two types of ids fail the start: a lookup with the wrong type would find no user.
 */
final class UserIdClasses implements BeanDefinitionRegistryPostProcessor, Ordered {

    static final String TABLE_OF_PROFILES = "usherJdbcProfileSource";
    static final String TABLE_OF_STATUSES = "usherJdbcStatusSource";

    private static final String ID_TYPE = "usher.jdbc.id-type";
    private static final String ADVICE = "A user has one id. The sources of profiles and statuses, " + ID_TYPE
            + ", CurrentUserId and the parameters that are an id must all have the same type for it.";
    private static final boolean SECURITY = ClassUtils.isPresent(
            "org.springframework.security.core.Authentication", UserIdClasses.class.getClassLoader());

    private final Environment environment;

    UserIdClasses(Environment environment) {
        this.environment = environment;
    }

    /** A declaration of the type of the ids. */
    private record Declaration(String name, Class<?> idClass) {

        String text() {
            return name + " declares " + idClass.getSimpleName();
        }
    }

    /** Before the caches are registered, because they have these types. */
    @Override
    public int getOrder() {
        return 0;
    }

    @Override
    public void postProcessBeanDefinitionRegistry(BeanDefinitionRegistry registry) {
        ConfigurableListableBeanFactory beans = (ConfigurableListableBeanFactory) registry;
        List<Declaration> declarations = declarationsOfApplication(beans);
        if (registry.containsBeanDefinition(TABLE_OF_PROFILES) || registry.containsBeanDefinition(TABLE_OF_STATUSES)) {
            Class<?> ofTable = ofTable(beans, environment);
            declarations.add(new Declaration(ID_TYPE, ofTable));
            setIdClass(TABLE_OF_PROFILES, UserProfile.class, ofTable, registry);
            setIdClass(TABLE_OF_STATUSES, UserStatus.class, ofTable, registry);
        }
        requireOne(declarations);
        if (!declarations.isEmpty()) {
            Class<?> idClass = declarations.get(0).idClass;
            completeTypes(UserProfileCache.class, idClass, beans);
            completeTypes(UserStatusCache.class, idClass, beans);
        }
        // Spring may have cached the earlier types.
        beans.clearMetadataCache();
    }

    private static List<Declaration> declarationsOfApplication(ConfigurableListableBeanFactory beans) {
        List<Declaration> declarations = new ArrayList<>(sourcesOf(UserStatus.class, beans));
        declarations.addAll(sourcesOf(UserProfile.class, beans));
        declarations.addAll(currentUserIds(beans));
        return declarations;
    }

    private static void requireOne(List<Declaration> declarations) {
        for (Declaration declaration : declarations) {
            Declaration first = declarations.get(0);
            if (declaration.idClass != first.idClass) {
                throw new IdTypesException(
                        "The ids of users are of two types: " + first.text() + ", and " + declaration.text(), ADVICE);
            }
        }
    }

    /** The type of the ids in the table of {@code usher.jdbc}: from the setting, or else from the application's beans. */
    static Class<?> ofTable(ConfigurableListableBeanFactory beans, Environment environment) {
        UserIdType configured = UsherJdbcProperties.of(environment).idType();
        if (configured != null) {
            return configured.javaType();
        }
        List<Declaration> others = declarationsOfApplication(beans);
        return others.isEmpty() ? Long.class : others.get(0).idClass;
    }

    /** The application's own sources of such values that declare the type of ids; if one of them is primary, only that one. */
    private static List<Declaration> sourcesOf(Class<?> value, ListableBeanFactory beans) {
        List<Declaration> found = new ArrayList<>();
        for (String name : beans.getBeanNamesForType(UserCacheRegistrar.sourceOf(value), true, false)) {
            Class<?> idClass = UserCacheRegistrar.idOf(name, beans);
            if (idClass != null && !name.equals(TABLE_OF_PROFILES) && !name.equals(TABLE_OF_STATUSES)) {
                Declaration declaration = new Declaration("the source '" + name + "'", idClass);
                if (isPrimary(name, beans)) {
                    return List.of(declaration);
                }
                found.add(declaration);
            }
        }
        if (found.isEmpty()
                && beans instanceof ConfigurableListableBeanFactory child
                && child.getParentBeanFactory() instanceof ListableBeanFactory parent) {
            return sourcesOf(value, parent);
        }
        return found;
    }

    private static boolean isPrimary(String name, ListableBeanFactory beans) {
        return beans instanceof ConfigurableListableBeanFactory factory
                && factory.containsBeanDefinition(name)
                && factory.getBeanDefinition(name).isPrimary();
    }

    private static List<Declaration> currentUserIds(ConfigurableListableBeanFactory beans) {
        if (!SECURITY) {
            return List.of();
        }
        List<Declaration> found = new ArrayList<>();
        for (String name : beans.getBeanNamesForType(CurrentUserId.class, true, false)) {
            ResolvableType type = UserCacheRegistrar.typeOf(beans, name).as(CurrentUserId.class);
            if (declaresIds(type)) {
                found.add(new Declaration(
                        "the CurrentUserId '" + name + "'", type.getGeneric(0).toClass()));
            }
        }
        return found;
    }

    private static boolean declaresIds(ResolvableType type) {
        Class<?> idClass = type.getGeneric(0).resolve();
        return idClass != null && idClass != Object.class;
    }

    /**
     * Refuses a parameter for the current user's id whose type is not that of the ids.
     *
     * @throws IdTypesException if the types differ; the message names both
     */
    static void requireIdOf(MethodParameter parameter, String name, ConfigurableListableBeanFactory beans) {
        ResolvableType type = ResolvableType.forMethodParameter(parameter);
        Class<?> wanted = ClassUtils.resolvePrimitiveIfNecessary(
                (type.resolve() == Optional.class ? type.getGeneric() : type).toClass());
        if (Arrays.stream(UserIdType.values()).noneMatch(ids -> ids.javaType() == wanted)) {
            return;
        }
        List<Declaration> declarations = new ArrayList<>();
        for (Class<?> cache : List.of(UserStatusCache.class, UserProfileCache.class)) {
            for (String bean : beans.getBeanNamesForType(cache, true, false)) {
                ResolvableType known = UserCacheRegistrar.typeOf(beans, bean).as(cache);
                if (declaresIds(known)) {
                    declarations.add(new Declaration(
                            "the cache '" + bean + "'", known.getGeneric(0).toClass()));
                }
            }
        }
        if (!declarations.isEmpty()) {
            declarations.add(new Declaration(name, wanted));
            requireOne(declarations);
        }
    }

    private static void setIdClass(String source, Class<?> value, Class<?> idClass, BeanDefinitionRegistry registry) {
        if (registry.containsBeanDefinition(source)
                && registry.getBeanDefinition(source) instanceof RootBeanDefinition definition) {
            definition.setTargetType(ResolvableType.forClassWithGenerics(UserSource.class, idClass, value));
        }
    }

    /** Completes the types of the beans that do not declare the type of ids. */
    private static void completeTypes(Class<?> cache, Class<?> idClass, ConfigurableListableBeanFactory beans) {
        for (String name : beans.getBeanNamesForType(cache, true, false)) {
            if (beans.containsBeanDefinition(name)
                    && beans.getBeanDefinition(name) instanceof RootBeanDefinition definition
                    && !declaresIds(UserCacheRegistrar.typeOf(beans, name).as(cache))) {
                definition.setTargetType(ResolvableType.forClassWithGenerics(cache, idClass));
            }
        }
    }

    /**
     * The type of the ids of a source, by the type of its bean, by its class, or by the type of the cache that is registered
     * for it.
     *
     * @throws IdTypesException if none of them declares it
     */
    static Class<?> of(UserSource<?, ?> source, Class<?> value, String facet, ConfigurableListableBeanFactory beans) {
        Class<?> idClass = ofSingleton(source, beans);
        if (idClass == null) {
            ResolvableType type = ResolvableType.forInstance(source).as(UserSource.class);
            idClass = declaresIds(type) ? type.getGeneric(0).toClass() : null;
        }
        if (idClass == null) {
            idClass = ofCache(value, beans);
        }
        if (idClass == null) {
            throw new IdTypesException(
                    "The source of the facet '" + facet + "' does not declare the type of its ids",
                    "Declare the bean with its full type, such as UserSource<Long, " + value.getSimpleName() + ">.");
        }
        return idClass;
    }

    /** The type of the ids of the registered cache of such values, which comes from the declared types of sources. */
    private static @Nullable Class<?> ofCache(Class<?> value, ConfigurableListableBeanFactory beans) {
        Class<?> cache = value == UserProfile.class
                ? UserProfileCache.class
                : value == UserStatus.class ? UserStatusCache.class : UserCache.class;
        for (String name : beans.getBeanNamesForType(cache, true, false)) {
            ResolvableType type = UserCacheRegistrar.typeOf(beans, name).as(cache);
            if (declaresIds(type)
                    && (cache != UserCache.class || type.getGeneric(1).resolve() == value)) {
                return type.getGeneric(0).toClass();
            }
        }
        return null;
    }

    private static @Nullable Class<?> ofSingleton(UserSource<?, ?> source, ConfigurableListableBeanFactory beans) {
        for (String name : beans.getBeanNamesForType(UserSource.class, true, false)) {
            // Only existing singletons: creating another source may need the very cache that this call is for.
            if (source.equals(beans.getSingleton(name))) {
                Class<?> declared = UserCacheRegistrar.idOf(name, beans);
                if (declared != null) {
                    return declared;
                }
            }
        }
        return null;
    }
}
