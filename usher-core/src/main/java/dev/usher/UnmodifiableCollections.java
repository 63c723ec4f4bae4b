package dev.usher;

import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.BeanDescription;
import tools.jackson.databind.BeanProperty;
import tools.jackson.databind.DeserializationConfig;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.JavaType;
import tools.jackson.databind.ValueDeserializer;
import tools.jackson.databind.deser.ValueDeserializerModifier;
import tools.jackson.databind.deser.std.DelegatingDeserializer;
import tools.jackson.databind.jsontype.TypeDeserializer;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.databind.type.CollectionType;
import tools.jackson.databind.type.MapType;

/**
 * Makes Jackson return unmodifiable collections wherever they are declared by an interface such as {@code List}. A collection that is
 * declared by a class, such as {@code ArrayList}, is of that class.
 */
final class UnmodifiableCollections extends SimpleModule {

    private static final long serialVersionUID = 1L;

    UnmodifiableCollections() {
        super(UnmodifiableCollections.class.getName());
        setDeserializerModifier(new ValueDeserializerModifier() {
            @Override
            public ValueDeserializer<?> modifyCollectionDeserializer(
                    DeserializationConfig config,
                    CollectionType type,
                    BeanDescription.Supplier description,
                    ValueDeserializer<?> deserializer) {
                return new Unmodifiable(deserializer, Object.class);
            }

            @Override
            public ValueDeserializer<?> modifyMapDeserializer(
                    DeserializationConfig config,
                    MapType type,
                    BeanDescription.Supplier description,
                    ValueDeserializer<?> deserializer) {
                return new Unmodifiable(deserializer, Object.class);
            }
        });
    }

    /** Reads with another deserializer, and wraps the result where the declared type allows it. */
    private static final class Unmodifiable extends DelegatingDeserializer {

        private final Class<?> declared;

        /**
         * A deserializer that wraps.
         *
         * @param declared the declared type of the collection
         */
        Unmodifiable(ValueDeserializer<?> deserializer, Class<?> declared) {
            super(deserializer);
            this.declared = declared;
        }

        @Override
        protected ValueDeserializer<?> newDelegatingInstance(ValueDeserializer<?> deserializer) {
            return new Unmodifiable(deserializer, declared);
        }

        @Override
        public ValueDeserializer<?> createContextual(DeserializationContext context, @Nullable BeanProperty property) {
            // The declared type: that of the deserializer is the class by which Jackson implements it.
            JavaType type = context.getContextualType();
            ValueDeserializer<?> contextual = context.handleSecondaryContextualization(
                    _delegatee, property, type == null ? context.constructType(handledType()) : type);
            return new Unmodifiable(contextual, type == null ? Object.class : type.getRawClass());
        }

        @Override
        public Object deserialize(JsonParser parser, DeserializationContext context) {
            return wrapped(super.deserialize(parser, context));
        }

        @Override
        public Object deserializeWithType(JsonParser parser, DeserializationContext context, TypeDeserializer type) {
            return wrapped(super.deserializeWithType(parser, context, type));
        }

        @Override
        public Object getNullValue(DeserializationContext context) {
            return wrapped(super.getNullValue(context));
        }

        @Override
        public Object getAbsentValue(DeserializationContext context) {
            return wrapped(super.getAbsentValue(context));
        }

        @Override
        public Object getEmptyValue(DeserializationContext context) {
            return wrapped(super.getEmptyValue(context));
        }

        private Object wrapped(Object read) {
            Object wrapper = wrapper(read);
            return declared.isInstance(wrapper) ? wrapper : read;
        }

        private static Object wrapper(Object read) {
            if (read instanceof List<?> list) {
                return Collections.unmodifiableList(list);
            } else if (read instanceof NavigableSet<?> set) {
                return Collections.unmodifiableNavigableSet(set);
            } else if (read instanceof SortedSet<?> set) {
                return Collections.unmodifiableSortedSet(set);
            } else if (read instanceof Set<?> set) {
                return Collections.unmodifiableSet(set);
            } else if (read instanceof NavigableMap<?, ?> map) {
                return Collections.unmodifiableNavigableMap(map);
            } else if (read instanceof SortedMap<?, ?> map) {
                return Collections.unmodifiableSortedMap(map);
            } else if (read instanceof Map<?, ?> map) {
                return Collections.unmodifiableMap(map);
            }
            return read instanceof Collection<?> other ? Collections.unmodifiableCollection(other) : read;
        }
    }
}
