package dev.usher.server.user;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/** Marks an operation that says in a header whether what it ends is refused by every node, for the OpenAPI document. */
@Documented
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
public @interface Confirms {

    /** The header: {@code true} or {@code false}. */
    String HEADER = "Usher-Confirmed";
}
