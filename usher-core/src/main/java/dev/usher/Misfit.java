package dev.usher;

import java.lang.annotation.Annotation;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import tools.jackson.databind.exc.InvalidDefinitionException;

/**
 * The reason why values of a type cannot be cached, and the remedy. It names classes and fields, and never quotes a value: the messages of
 * codecs are left out.
 *
 * @param reason and remedy, in words
 * @param isCopied whether values can be copied by writing and reading them
 */
record Misfit(String reason, boolean isCopied) {

    private static final String OWN_CODEC = "Correct the FacetCodec of the facet";

    /**
     * A value that its codec does not write.
     *
     * @param isJson whether Jackson writes it
     */
    static Misfit unwritable(Class<?> type, boolean isJson, Throwable why) {
        String remedy = isJson ? "Make it a record, or give the facet a FacetCodec of its own" : OWN_CODEC;
        return new Misfit("a " + type.getName() + " cannot be written (" + name(why) + "). " + remedy, false);
    }

    /**
     * A value that was written, and is not read back.
     *
     * @param isJson whether Jackson reads it
     */
    static Misfit unreadable(Class<?> type, boolean isJson, Throwable why) {
        Class<?> met = why instanceof InvalidDefinitionException definition && definition.getType() != null
                ? definition.getType().getRawClass()
                : type;
        String where = met == type ? "" : ", at " + met.getName();
        return new Misfit(
                "a " + type.getName() + " is written, and cannot be read back (" + name(why) + where + "). "
                        + (isJson ? remedy(met) : OWN_CODEC),
                false);
    }

    /** A value that one caller could change for all. */
    static Misfit changeable(String part) {
        return new Misfit(
                part
                        + ", which one caller could change for all others. Declare records, with List, Set or Map for collections,"
                        + " or add copyOnRead() to the facet",
                true);
    }

    private static String remedy(Class<?> type) {
        if (isOfKotlin(type)) {
            return "It is a Kotlin class: add tools.jackson.module:jackson-module-kotlin, and pass a JsonMapper with that module to"
                    + " jsonMapper(…) of UserCaches.builder(); the JsonMapper of Spring Boot has the module by itself";
        } else if (type.isInterface() || Modifier.isAbstract(type.getModifiers())) {
            return "It is an interface or an abstract class, which Jackson cannot instantiate: use a record or a class instead, or"
                    + " declare its subtypes by @JsonTypeInfo and @JsonSubTypes";
        }
        return "Make it a record, or give it a constructor that Jackson can use (@JsonCreator), or give the facet a FacetCodec of"
                + " its own";
    }

    private static boolean isOfKotlin(Class<?> type) {
        return Arrays.stream(type.getAnnotations())
                .map(Annotation::annotationType)
                .anyMatch(annotation -> annotation.getName().equals("kotlin.Metadata"));
    }

    private static String name(Throwable why) {
        return why.getClass().getSimpleName();
    }
}
