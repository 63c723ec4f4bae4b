package dev.usher.spring;

import dev.usher.UserCache;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.core.MethodParameter;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.core.ResolvableType;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.authentication.AuthenticationCredentialsNotFoundException;
import org.springframework.security.core.Authentication;
import org.springframework.web.bind.support.WebDataBinderFactory;
import org.springframework.web.context.request.NativeWebRequest;
import org.springframework.web.method.support.HandlerMethodArgumentResolver;
import org.springframework.web.method.support.ModelAndViewContainer;

/**
 * Resolves {@link CurrentUser} parameters.
 *
 * @param <K> the type of a user's id
 */
final class CurrentUserArgumentResolver<K> implements HandlerMethodArgumentResolver {

    private static final Set<Class<?>> ID_TYPES = Set.of(Long.class, Integer.class, UUID.class, String.class);

    private static final ResolvableType ANY_ID = ResolvableType.forType(
                    new ParameterizedTypeReference<UserCache<?, ?>>() {})
            .getGeneric(0);

    private final CurrentAuthentication authentication;
    private final CurrentUserId<K> ids;
    private final BeanFactory beans;
    private final ConcurrentMap<ResolvableType, Function<K, Optional<?>>> answers = new ConcurrentHashMap<>();

    /**
     * A resolver.
     *
     * @param beans contains the caches, which are looked up at the first request: controllers are created before them
     */
    CurrentUserArgumentResolver(CurrentAuthentication authentication, CurrentUserId<K> ids, BeanFactory beans) {
        this.authentication = authentication;
        this.ids = ids;
        this.beans = beans;
    }

    @Override
    public boolean supportsParameter(MethodParameter parameter) {
        return CurrentUserParameters.isOne(parameter);
    }

    @Override
    public Object resolveArgument(
            MethodParameter parameter,
            @Nullable ModelAndViewContainer container,
            NativeWebRequest request,
            @Nullable WebDataBinderFactory binders) {
        ResolvableType type = ResolvableType.forMethodParameter(parameter);
        boolean optional = type.resolve() == Optional.class;
        Function<K, Optional<?>> answer = answers.computeIfAbsent(optional ? type.getGeneric() : type, this::answerOf);
        Optional<Authentication> caller = authentication.find();
        Optional<?> value = caller.flatMap(ids::of).flatMap(answer);
        if (optional) {
            return value;
        }
        if (caller.isEmpty()) {
            throw new AuthenticationCredentialsNotFoundException("no caller is authenticated");
        }
        return value.orElseThrow(() -> new AccessDeniedException("the current user does not exist"));
    }

    /** The lookup of a user's value of a type. */
    private Function<K, Optional<?>> answerOf(ResolvableType type) {
        Class<?> wanted = type.toClass();
        Class<?> boxed = wanted == long.class ? Long.class : wanted == int.class ? Integer.class : wanted;
        if (ID_TYPES.contains(boxed)) {
            return id -> Optional.of(requireInstance(boxed, id));
        }
        UserCache<K, ?> cache = cacheOf(type);
        if (cache == null) {
            throw new IllegalStateException(
                    "A parameter with @CurrentUser must be the user's id, or the value of a facet that has a"
                            + " cache, or an Optional of either; there is no cache with values of the type " + type);
        }
        return cache::find;
    }

    /** The cast is safe because all caches have the same type of ids. */
    @SuppressWarnings("unchecked")
    private @Nullable UserCache<K, ?> cacheOf(ResolvableType value) {
        if (value.toClass() == UserProfile.class) {
            UserProfileCache<K> profiles =
                    beans.getBeanProvider(UserProfileCache.class).getIfAvailable();
            return profiles == null ? null : profiles.cache();
        }
        if (value.toClass() == UserStatus.class) {
            UserStatusCache<K> statuses =
                    beans.getBeanProvider(UserStatusCache.class).getIfAvailable();
            return statuses == null ? null : statuses.cache();
        }
        return (UserCache<K, ?>)
                beans.getBeanProvider(ResolvableType.forClassWithGenerics(UserCache.class, ANY_ID, value))
                        .getIfAvailable();
    }

    private static Object requireInstance(Class<?> type, Object id) {
        if (!type.isInstance(id)) {
            throw new IllegalStateException("A parameter with @CurrentUser has the type " + type.getSimpleName()
                    + ", but ids are of the type " + id.getClass().getSimpleName());
        }
        return id;
    }
}
