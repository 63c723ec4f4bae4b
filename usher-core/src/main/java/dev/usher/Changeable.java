package dev.usher;

import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Currency;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Finds the mutable parts of a value, which one caller could change for all callers that share the object: arrays, fields that are not
 * final, setters, collections that accept another element, and classes of the JDK that are not known to be immutable.
 *
 * <p>Only the visible parts of a class are checked: fields that are not private, and private ones with an accessor. Where the value has
 * an object, that object is checked, else the declared type. To be called with a value that no other thread holds, since the check tries
 * to change collections. Not thread-safe.
 */
final class Changeable {

    /** Values are small; for a large one, the check of a part is enough. */
    private static final int MAX_LOOKS = 1_000;

    private static final Pattern SETTER = Pattern.compile("set(\\p{Lu}.*)?|.+_\\$eq");

    /** Methods with these names change an object, unless they return another value, as those of immutable classes do. */
    private static final Pattern MUTATOR = Pattern.compile("(add|put|remove|clear)(\\p{Lu}.*)?");

    private static final Set<Class<?>> IMMUTABLE = Set.of(
            String.class,
            Boolean.class,
            Character.class,
            Class.class,
            OptionalInt.class,
            OptionalLong.class,
            OptionalDouble.class,
            UUID.class,
            Locale.class,
            Currency.class,
            Pattern.class,
            URI.class,
            URL.class,
            InetSocketAddress.class,
            BigDecimal.class,
            BigInteger.class,
            Byte.class,
            Short.class,
            Integer.class,
            Long.class,
            Float.class,
            Double.class);

    private static final List<Class<?>> IMMUTABLE_KINDS =
            List.of(Enum.class, InetAddress.class, Charset.class, Path.class);

    private final boolean isJson;

    /** Classes whose declarations have been checked: they may refer back to themselves. */
    private final Set<Class<?>> seen = new HashSet<>();

    /** Objects that have been checked. */
    private final Set<Object> held = Collections.newSetFromMap(new IdentityHashMap<>());

    private int looks;
    private @Nullable String part;
    private boolean isOpen;

    private Changeable(boolean isJson) {
        this.isJson = isJson;
    }

    /**
     * The result of a check.
     *
     * @param part a description of a mutable part, or {@code null} when there is none
     * @param isOpen whether other values of the same type may differ, since the type allows any class somewhere
     */
    record Finding(@Nullable String part, boolean isOpen) {}

    /**
     * Checks a value.
     *
     * @param type the declared type of the value
     * @param isJson whether collections are made by {@link JsonFacetCodec}, and so unmodifiable
     */
    static Finding check(Type type, Object value, boolean isJson) {
        Changeable check = new Changeable(isJson);
        check.at(value.getClass().getSimpleName(), type, value);
        return new Finding(check.part, check.isOpen);
    }

    private void at(String path, Type declared, @Nullable Object value) {
        if (part != null || looks++ > MAX_LOOKS) {
            return;
        }
        Class<?> type = value == null ? rawOf(declared) : value.getClass();
        atSubclasses(path, rawOf(declared));
        if (type.isArray()) {
            found(path, "an array");
        } else if (type.isPrimitive() || isImmutable(type)) {
            return;
        } else if (value instanceof Optional<?> optional) {
            at(path, argument(declared, 0), optional.orElse(null));
        } else if (type == Optional.class) {
            at(path, argument(declared, 0), null);
        } else if (value instanceof Collection<?> collection) {
            atCollection(path, declared, collection);
        } else if (value instanceof Map<?, ?> map) {
            atMap(path, declared, map);
        } else if (isCollection(type)) {
            atMissingCollection(path, declared, type);
        } else if (type.getName().startsWith("java.") && value != null) {
            found(path, "a " + type.getName());
        } else if (type.isInterface() || type == Object.class || Modifier.isAbstract(type.getModifiers())) {
            isOpen |= !type.isSealed();
        } else if (type.getName().startsWith("java.")) {
            found(path, "a " + type.getName());
        } else if (value == null ? seen.add(type) : held.add(value)) {
            atFields(path, type, value);
        }
    }

    /** Checks the declared type of a part: other values may hold other objects there. */
    private void atSubclasses(String path, Class<?> declared) {
        if (Modifier.isFinal(declared.getModifiers()) || isImmutable(declared) || declared == Optional.class) {
            return;
        }
        if (declared.isSealed()) {
            for (Class<?> permitted : declared.getPermittedSubclasses()) {
                at(path, permitted, null);
            }
        } else if (!isCollection(declared)) {
            isOpen |=
                    declared.isInterface() || Modifier.isAbstract(declared.getModifiers()) || declared == Object.class;
        }
    }

    private void atCollection(String path, Type declared, Collection<?> collection) {
        if (canBeChanged(collection)) {
            found(path, "a " + collection.getClass().getName());
        }
        collection.forEach(element -> at(path + "[]", argument(declared, 0), element));
        at(path + "[]", argument(declared, 0), null);
    }

    private void atMap(String path, Type declared, Map<?, ?> map) {
        if (canBeChanged(map)) {
            found(path, "a " + map.getClass().getName());
        }
        map.forEach((key, value) -> {
            at(path + "[key]", argument(declared, 0), key);
            at(path + "[]", argument(declared, 1), value);
        });
        at(path + "[key]", argument(declared, 0), null);
        at(path + "[]", argument(declared, 1), null);
    }

    /** Checks the type arguments: where this value has no element, another value may have one. */
    private void atMissingCollection(String path, Type declared, Class<?> type) {
        if (!type.isInterface() && type.getName().startsWith("java.")) {
            found(path, "a " + type.getName());
        }
        isOpen |= !isJson || !type.getName().startsWith("java.");
        if (declared instanceof ParameterizedType parameterized) {
            for (Type argument : parameterized.getActualTypeArguments()) {
                at(path + "[]", argument, null);
            }
        }
    }

    private void atFields(String path, Class<?> type, @Nullable Object value) {
        for (Class<?> declaring = type;
                declaring != null && declaring != Object.class;
                declaring = declaring.getSuperclass()) {
            for (Method method : declaring.getDeclaredMethods()) {
                if (isSetter(method)) {
                    found(path, "of a class with setters, such as " + method.getName());
                }
            }
            for (Field field : declaring.getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers()) && !field.isSynthetic() && isShown(field)) {
                    atField(path + "." + field.getName(), field, value);
                }
            }
        }
    }

    private static boolean isSetter(Method method) {
        if (Modifier.isStatic(method.getModifiers()) || Modifier.isPrivate(method.getModifiers())) {
            return false;
        }
        return (method.getParameterCount() > 0
                        && SETTER.matcher(method.getName()).matches())
                || (method.getReturnType() == void.class
                        && MUTATOR.matcher(method.getName()).matches());
    }

    private void atField(String path, Field field, @Nullable Object value) {
        if (!Modifier.isFinal(field.getModifiers()) && !Modifier.isPrivate(field.getModifiers())) {
            found(path, "not final");
        }
        Object content = null;
        if (value != null && field.trySetAccessible()) {
            try {
                content = field.get(value);
            } catch (IllegalAccessException e) {
                throw new IllegalStateException("an accessible field could not be read", e);
            }
        }
        at(path, field.getGenericType(), content);
    }

    private static boolean isShown(Field field) {
        if (!Modifier.isPrivate(field.getModifiers())) {
            return true;
        }
        String name = field.getName();
        String capital = name.isEmpty() ? name : Character.toUpperCase(name.charAt(0)) + name.substring(1);
        Set<String> accessors = Set.of(name, "get" + capital, "is" + capital);
        return Arrays.stream(field.getDeclaringClass().getDeclaredMethods())
                .anyMatch(method -> method.getParameterCount() == 0
                        && accessors.contains(method.getName())
                        && !Modifier.isPrivate(method.getModifiers())
                        && method.getReturnType().isAssignableFrom(field.getType()));
    }

    private void found(String path, String what) {
        if (part == null) {
            part = path + " is " + what;
        }
    }

    private static boolean isImmutable(Class<?> type) {
        return IMMUTABLE.contains(type)
                || IMMUTABLE_KINDS.stream().anyMatch(kind -> kind.isAssignableFrom(type))
                || type.getName().startsWith("java.time.");
    }

    private static boolean isCollection(Class<?> type) {
        return type == Iterable.class || Collection.class.isAssignableFrom(type) || Map.class.isAssignableFrom(type);
    }

    private static boolean canBeChanged(Collection<?> collection) {
        return !(isRefused(() -> collection.add(null))
                && (!(collection instanceof List<?> list) || list.isEmpty() || isRefused(() -> setFirst(list))));
    }

    private static <T> void setFirst(List<T> list) {
        list.set(0, list.get(0));
    }

    private static boolean canBeChanged(Map<?, ?> map) {
        return !isRefused(() -> map.put(null, null));
    }

    /** Whether the collection does not support the change. After any other exception, another change might succeed. */
    private static boolean isRefused(Runnable change) {
        try {
            change.run();
            return false;
        } catch (UnsupportedOperationException e) {
            return true;
        } catch (RuntimeException e) {
            return false;
        }
    }

    private static Type argument(Type type, int index) {
        return type instanceof ParameterizedType parameterized && parameterized.getActualTypeArguments().length > index
                ? parameterized.getActualTypeArguments()[index]
                : Object.class;
    }

    private static Class<?> rawOf(Type type) {
        if (type instanceof Class<?> raw) {
            return raw;
        } else if (type instanceof ParameterizedType parameterized) {
            return rawOf(parameterized.getRawType());
        } else if (type instanceof GenericArrayType) {
            return Object[].class;
        } else if (type instanceof WildcardType wildcard) {
            return rawOf(wildcard.getUpperBounds()[0]);
        }
        return type instanceof TypeVariable<?> variable ? rawOf(variable.getBounds()[0]) : Object.class;
    }
}
