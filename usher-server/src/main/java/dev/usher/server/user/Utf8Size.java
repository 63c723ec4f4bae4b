package dev.usher.server.user;

import jakarta.validation.Constraint;
import jakarta.validation.ConstraintValidator;
import jakarta.validation.ConstraintValidatorContext;
import jakarta.validation.Payload;
import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Constrains the size of a text in bytes of UTF-8, which bcrypt counts: it ignores those past 72. */
@Documented
@Constraint(validatedBy = Utf8Size.Validator.class)
@Target({ElementType.FIELD, ElementType.PARAMETER})
@Retention(RetentionPolicy.RUNTIME)
public @interface Utf8Size {

    int min() default 0;

    int max();

    String message() default "must have {min} to {max} bytes";

    Class<?>[] groups() default {};

    Class<? extends Payload>[] payload() default {};

    /** Counts the bytes. */
    final class Validator implements ConstraintValidator<Utf8Size, String> {

        private int min;
        private int max;

        @Override
        public void initialize(Utf8Size constraint) {
            min = constraint.min();
            max = constraint.max();
        }

        @Override
        public boolean isValid(@Nullable String text, ConstraintValidatorContext context) {
            if (text == null) {
                return true;
            }
            int size = text.getBytes(StandardCharsets.UTF_8).length;
            return size >= min && size <= max;
        }
    }
}
