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
 * Finds out what the ids of users are, from the types of the sources and the settings, before any bean is made.
 *
 * <p>It gives the caches of the specification their full types, so that Spring refuses to inject one with ids of another type. Ids that
 * are of two types fail the start: a cache that is asked for ids of another type knows nobody.
 */
final class UserIdClasses implements BeanDefinitionRegistryPostProcessor, Ordered {

    static final String TABLE_OF_PROFILES = "usherJdbcProfileSource";
    static final String TABLE_OF_STATUSES = "usherJdbcStatusSource";

    private static final String ID_TYPE = "usher.jdbc.id-type";
    private static final String ADVICE = "A user has one id. Let the sources of profiles and statuses, " + ID_TYPE
            + ", CurrentUserId and the parameters that are an id agree on its type.";
    private static final boolean SECURITY = ClassUtils.isPresent(
            "org.springframework.security.core.Authentication", UserIdClasses.class.getClassLoader());

    private final Environment environment;

    UserIdClasses(Environment environment) {
        this.environment = environment;
    }

    /** Something that says what ids are. */
    private record Voice(String name, Class<?> idClass) {

        String text() {
            return name + " says " + idClass.getSimpleName();
        }
    }

    /** Before the caches are registered, which are of these types. */
    @Override
    public int getOrder() {
        return 0;
    }

    @Override
    public void postProcessBeanDefinitionRegistry(BeanDefinitionRegistry registry) {
        ConfigurableListableBeanFactory beans = (ConfigurableListableBeanFactory) registry;
        List<Voice> voices = voicesOfApplication(beans);
        if (registry.containsBeanDefinition(TABLE_OF_PROFILES) || registry.containsBeanDefinition(TABLE_OF_STATUSES)) {
            Class<?> ofTable = ofTable(beans, environment);
            voices.add(new Voice(ID_TYPE, ofTable));
            setIdClass(TABLE_OF_PROFILES, UserProfile.class, ofTable, registry);
            setIdClass(TABLE_OF_STATUSES, UserStatus.class, ofTable, registry);
        }
        requireOne(voices);
        if (!voices.isEmpty()) {
            Class<?> idClass = voices.get(0).idClass;
            completeTypes(UserProfileCache.class, idClass, beans);
            completeTypes(UserStatusCache.class, idClass, beans);
        }
        // The types of before may be cached.
        beans.clearMetadataCache();
    }

    private static List<Voice> voicesOfApplication(ConfigurableListableBeanFactory beans) {
        List<Voice> voices = new ArrayList<>(sourcesOf(UserStatus.class, beans));
        voices.addAll(sourcesOf(UserProfile.class, beans));
        voices.addAll(currentUserIds(beans));
        return voices;
    }

    private static void requireOne(List<Voice> voices) {
        for (Voice voice : voices) {
            Voice first = voices.get(0);
            if (voice.idClass != first.idClass) {
                throw new IdTypesException(
                        "The ids of users are of two types: " + first.text() + ", and " + voice.text(), ADVICE);
            }
        }
    }

    /** What the ids in the table of {@code usher.jdbc} are: what the setting says, or else the application's beans. */
    static Class<?> ofTable(ConfigurableListableBeanFactory beans, Environment environment) {
        UserIdType said = UsherJdbcProperties.of(environment).idType();
        if (said != null) {
            return said.javaType();
        }
        List<Voice> others = voicesOfApplication(beans);
        return others.isEmpty() ? Long.class : others.get(0).idClass;
    }

    /** Of the application's own sources of such values, those that say what ids are; of several, the primary one. */
    private static List<Voice> sourcesOf(Class<?> value, ListableBeanFactory beans) {
        List<Voice> found = new ArrayList<>();
        for (String name : beans.getBeanNamesForType(UserCacheRegistrar.sourceOf(value), true, false)) {
            Class<?> idClass = UserCacheRegistrar.idOf(name, beans);
            if (idClass != null && !name.equals(TABLE_OF_PROFILES) && !name.equals(TABLE_OF_STATUSES)) {
                Voice voice = new Voice("the source '" + name + "'", idClass);
                if (isPrimary(name, beans)) {
                    return List.of(voice);
                }
                found.add(voice);
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

    private static List<Voice> currentUserIds(ConfigurableListableBeanFactory beans) {
        if (!SECURITY) {
            return List.of();
        }
        List<Voice> found = new ArrayList<>();
        for (String name : beans.getBeanNamesForType(CurrentUserId.class, true, false)) {
            ResolvableType type = UserCacheRegistrar.typeOf(beans, name).as(CurrentUserId.class);
            if (saysIds(type)) {
                found.add(new Voice(
                        "the CurrentUserId '" + name + "'", type.getGeneric(0).toClass()));
            }
        }
        return found;
    }

    private static boolean saysIds(ResolvableType type) {
        Class<?> idClass = type.getGeneric(0).resolve();
        return idClass != null && idClass != Object.class;
    }

    /**
     * Refuses a parameter that is to be the current user's id, and is of another type than ids.
     *
     * @throws IdTypesException when it is; both types are named
     */
    static void requireIdOf(MethodParameter parameter, String name, ConfigurableListableBeanFactory beans) {
        ResolvableType type = ResolvableType.forMethodParameter(parameter);
        Class<?> wanted = ClassUtils.resolvePrimitiveIfNecessary(
                (type.resolve() == Optional.class ? type.getGeneric() : type).toClass());
        if (Arrays.stream(UserIdType.values()).noneMatch(ids -> ids.javaType() == wanted)) {
            return;
        }
        List<Voice> voices = new ArrayList<>();
        for (Class<?> cache : List.of(UserStatusCache.class, UserProfileCache.class)) {
            for (String bean : beans.getBeanNamesForType(cache, true, false)) {
                ResolvableType known = UserCacheRegistrar.typeOf(beans, bean).as(cache);
                if (saysIds(known)) {
                    voices.add(new Voice(
                            "the cache '" + bean + "'", known.getGeneric(0).toClass()));
                }
            }
        }
        if (!voices.isEmpty()) {
            voices.add(new Voice(name, wanted));
            requireOne(voices);
        }
    }

    private static void setIdClass(String source, Class<?> value, Class<?> idClass, BeanDefinitionRegistry registry) {
        if (registry.containsBeanDefinition(source)
                && registry.getBeanDefinition(source) instanceof RootBeanDefinition definition) {
            definition.setTargetType(ResolvableType.forClassWithGenerics(UserSource.class, idClass, value));
        }
    }

    /** Of those beans whose types do not say yet what ids are. */
    private static void completeTypes(Class<?> cache, Class<?> idClass, ConfigurableListableBeanFactory beans) {
        for (String name : beans.getBeanNamesForType(cache, true, false)) {
            if (beans.containsBeanDefinition(name)
                    && beans.getBeanDefinition(name) instanceof RootBeanDefinition definition
                    && !saysIds(UserCacheRegistrar.typeOf(beans, name).as(cache))) {
                definition.setTargetType(ResolvableType.forClassWithGenerics(cache, idClass));
            }
        }
    }

    /**
     * What a source is asked for, by the type of its bean, by its class, or by the type of the cache that is registered for it.
     *
     * @throws IdTypesException when none of them says it
     */
    static Class<?> of(UserSource<?, ?> source, Class<?> value, String facet, ConfigurableListableBeanFactory beans) {
        Class<?> idClass = ofSingleton(source, beans);
        if (idClass == null) {
            ResolvableType type = ResolvableType.forInstance(source).as(UserSource.class);
            idClass = saysIds(type) ? type.getGeneric(0).toClass() : null;
        }
        if (idClass == null) {
            idClass = ofCache(value, beans);
        }
        if (idClass == null) {
            throw new IdTypesException(
                    "The source of the facet '" + facet + "' does not say what the ids of users are",
                    "Declare the bean with its full type, such as UserSource<Long, " + value.getSimpleName() + ">.");
        }
        return idClass;
    }

    /** As the cache of such values is registered, which is made of the types that sources were declared with. */
    private static @Nullable Class<?> ofCache(Class<?> value, ConfigurableListableBeanFactory beans) {
        Class<?> cache = value == UserProfile.class
                ? UserProfileCache.class
                : value == UserStatus.class ? UserStatusCache.class : UserCache.class;
        for (String name : beans.getBeanNamesForType(cache, true, false)) {
            ResolvableType type = UserCacheRegistrar.typeOf(beans, name).as(cache);
            if (saysIds(type) && (cache != UserCache.class || type.getGeneric(1).resolve() == value)) {
                return type.getGeneric(0).toClass();
            }
        }
        return null;
    }

    private static @Nullable Class<?> ofSingleton(UserSource<?, ?> source, ConfigurableListableBeanFactory beans) {
        for (String name : beans.getBeanNamesForType(UserSource.class, true, false)) {
            // Only what is there already: another source may be made of the very cache that this is for.
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
