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
import org.jspecify.annotations.Nullable;

/**
 * Constrains a text of a caller. Its length is counted in code points, as JSON Schema and PostgreSQL do, and not in units of UTF-16. The
 * characters that it may have: {@link Characters}.
 */
@Documented
@Constraint(validatedBy = Text.Validator.class)
@Target({ElementType.FIELD, ElementType.PARAMETER})
@Retention(RetentionPolicy.RUNTIME)
@interface Text {

    /** The kind of text. */
    Kind kind() default Kind.LINE;

    /** Its maximum length, in code points. */
    int max() default Integer.MAX_VALUE;

    /** Whether it may be empty, or have only invisible characters. */
    boolean blank() default true;

    String message() default "";

    Class<?>[] groups() default {};

    Class<? extends Payload>[] payload() default {};

    /** The characters that a text may have. */
    enum Kind {
        /** The characters of one line that is shown to others. */
        LINE,
        /** The characters of several lines that are shown to others. */
        LINES,
        /** All but control characters: it is shown to no user. */
        SECRET
    }

    /** Names the fault. */
    final class Validator implements ConstraintValidator<Text, String> {

        private Kind kind = Kind.LINE;
        private int max;
        private boolean blank;

        @Override
        public void initialize(Text constraint) {
            max = constraint.max();
            kind = constraint.kind();
            blank = constraint.blank();
        }

        @Override
        public boolean isValid(@Nullable String text, ConstraintValidatorContext context) {
            if (text == null) {
                return true;
            }
            context.disableDefaultConstraintViolation();
            String fault = fault(text);
            if (fault != null) {
                context.buildConstraintViolationWithTemplate(fault).addConstraintViolation();
            }
            return fault == null;
        }

        private @Nullable String fault(String text) {
            if (text.codePointCount(0, text.length()) > max) {
                return "may have " + max + " characters at most";
            }
            if (!hasItsCharacters(text)) {
                return switch (kind) {
                    case LINE -> "may not contain control or invisible characters";
                    case LINES -> "may not contain control characters or overrides of the direction";
                    case SECRET -> "may not contain control characters";
                };
            }
            return blank || Characters.show(text) ? null : "may not be blank";
        }

        private boolean hasItsCharacters(String text) {
            return switch (kind) {
                case LINE -> Characters.areOfALine(text);
                case LINES -> Characters.areOfLines(text);
                case SECRET -> Characters.areNoControls(text);
            };
        }
    }
}
