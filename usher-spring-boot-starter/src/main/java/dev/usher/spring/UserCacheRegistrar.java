package dev.usher.spring;

import dev.usher.Facet;
import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.Arrays;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.aot.BeanRegistrationAotProcessor;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.beans.factory.support.BeanDefinitionRegistry;
import org.springframework.beans.factory.support.BeanDefinitionRegistryPostProcessor;
import org.springframework.beans.factory.support.RootBeanDefinition;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.core.ResolvableType;

/**
 * Registers a {@link UserCache} for each facet with a source: for the facets of the specification behind their named caches,
 * and for each {@link Facet} among the application's beans. The caches are registered with their full types, so that injection
 * can tell them apart.
 *
 * <p>In an application that is processed ahead of time this class also runs at the start: generated code could not name the
 * values' classes, which need not be public.
 */
final class UserCacheRegistrar implements BeanDefinitionRegistryPostProcessor {

    /** The facets of the specification, which have named caches. */
    private static final Set<Class<?>> SPECIFIED = Set.of(UserProfile.class, UserStatus.class);

    /** The type argument {@code ?}. */
    private static final ResolvableType ANY = ResolvableType.forType(new ParameterizedTypeReference<Facet<?>>() {})
            .getGeneric(0);

    @Override
    public void postProcessBeanDefinitionRegistry(BeanDefinitionRegistry registry) {
        ConfigurableListableBeanFactory beans = (ConfigurableListableBeanFactory) registry;
        registerBehind(
                UserProfileCache.class,
                UserProfile.class,
                beans,
                registry,
                "profileUserCache",
                () -> beans.getBean(UserProfileCache.class).cache());
        registerBehind(
                UserStatusCache.class,
                UserStatus.class,
                beans,
                registry,
                "statusUserCache",
                () -> beans.getBean(UserStatusCache.class).cache());
        for (String facet : beans.getBeanNamesForType(Facet.class, true, false)) {
            registerOwn(facet, beans, registry);
        }
    }

    private static void registerBehind(
            Class<?> named,
            Class<?> value,
            ListableBeanFactory beans,
            BeanDefinitionRegistry registry,
            String name,
            Supplier<UserCache<?, ?>> cache) {
        String[] views = beans.getBeanNamesForType(named, true, false);
        if (views.length == 0 || hasCacheOf(value, beans)) {
            return;
        }
        Class<?> declared = typeOf(beans, views[0]).getGeneric(0).resolve();
        register(registry, name, isId(declared) ? declared : idOf(value, beans), value, cache);
    }

    private static void registerOwn(
            String facet, ConfigurableListableBeanFactory beans, BeanDefinitionRegistry registry) {
        Class<?> value = typeOf(beans, facet).as(Facet.class).getGeneric(0).resolve();
        if (value == null || value == Object.class) {
            throw new IllegalStateException("the facet '" + facet
                    + "' does not declare the type of its values; declare it as Facet<Badges>, with that type");
        }
        if (!SPECIFIED.contains(value) && !hasCacheOf(value, beans)) {
            register(registry, facet + "UserCache", idOf(value, beans), value, () -> make(facet, value, beans));
        }
    }

    @SuppressWarnings("unchecked")
    private static UserCache<?, ?> make(String facet, Class<?> value, ConfigurableListableBeanFactory beans) {
        UserSource<Object, Object> source = (UserSource<Object, Object>)
                beans.getBeanProvider(sourceOf(value)).getObject();
        return beans.getBean(FacetCaches.class).cacheOfBean((Facet<Object>) beans.getBean(facet), value, source);
    }

    private static void register(
            BeanDefinitionRegistry registry,
            String name,
            @Nullable Class<?> id,
            Class<?> value,
            Supplier<UserCache<?, ?>> cache) {
        RootBeanDefinition definition = new RootBeanDefinition();
        definition.setTargetType(ResolvableType.forClassWithGenerics(
                UserCache.class,
                id == null ? ResolvableType.forClass(Object.class) : ResolvableType.forClass(id),
                ResolvableType.forClass(value)));
        definition.setInstanceSupplier(cache);
        definition.setAttribute(BeanRegistrationAotProcessor.IGNORE_REGISTRATION_ATTRIBUTE, true);
        registry.registerBeanDefinition(name, definition);
    }

    /** Whether the application has created its own cache of such values. */
    private static boolean hasCacheOf(Class<?> value, ListableBeanFactory beans) {
        return Arrays.stream(beans.getBeanNamesForType(UserCache.class, true, false))
                .anyMatch(name ->
                        typeOf(beans, name).as(UserCache.class).getGeneric(1).resolve() == value);
    }

    /** The type of the ids of the source of such values, if its type declares it. */
    private static @Nullable Class<?> idOf(Class<?> value, ListableBeanFactory beans) {
        for (String name : beans.getBeanNamesForType(sourceOf(value), true, false)) {
            Class<?> id = idOf(name, beans);
            if (id != null) {
                return id;
            }
        }
        return null;
    }

    /** The type of the ids of a source, if its bean's type declares it. */
    static @Nullable Class<?> idOf(String source, ListableBeanFactory beans) {
        Class<?> declared =
                typeOf(beans, source).as(UserSource.class).getGeneric(0).resolve();
        return isId(declared) ? declared : null;
    }

    private static boolean isId(@Nullable Class<?> declared) {
        return declared != null && declared != Object.class;
    }

    /** The type of all sources of such values. */
    static ResolvableType sourceOf(Class<?> value) {
        return ResolvableType.forClassWithGenerics(UserSource.class, ANY, ResolvableType.forClass(value));
    }

    /** The type of a bean, as it is declared. */
    static ResolvableType typeOf(ListableBeanFactory beans, String name) {
        if (beans instanceof ConfigurableListableBeanFactory factory && factory.containsBeanDefinition(name)) {
            ResolvableType declared = factory.getMergedBeanDefinition(name).getResolvableType();
            if (declared.resolve() != null) {
                return declared;
            }
        }
        return ResolvableType.forClass(beans.getType(name, false));
    }
}
