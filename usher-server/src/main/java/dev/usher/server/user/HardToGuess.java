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
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Refuses the passwords that are guessed first: blank, one character only, or the mobile number. */
@Documented
@Constraint(validatedBy = HardToGuess.Validator.class)
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@interface HardToGuess {

    String MESSAGE = "may not be blank, one character only, or the mobile number";

    String message() default MESSAGE;

    Class<?>[] groups() default {};

    Class<? extends Payload>[] payload() default {};

    /** Compares. */
    final class Validator implements ConstraintValidator<HardToGuess, Registration> {

        /** A number: digits and separators. */
        private static final Pattern NUMBER = Pattern.compile("[0-9+() ./-]+");

        private static final int SHORTEST_NUMBER = 6;

        private static final Pattern BETWEEN = Pattern.compile("^[+ (]*0*|[^0-9]");

        @Override
        public boolean isValid(Registration registration, ConstraintValidatorContext context) {
            boolean valid = !isGuessed(registration.password(), registration.mobile());
            if (!valid) {
                context.disableDefaultConstraintViolation();
                context.buildConstraintViolationWithTemplate(context.getDefaultConstraintMessageTemplate())
                        .addPropertyNode("password")
                        .addConstraintViolation();
            }
            return valid;
        }

        static boolean isGuessed(@Nullable String password, @Nullable String mobile) {
            if (password == null || password.isEmpty()) {
                return false; // Another fault.
            }
            return !Characters.show(password)
                    || password.codePoints().distinct().count() == 1
                    || (mobile != null && isNumber(password, mobile));
        }

        /** With or without the country code, whose length is unknown. */
        private static boolean isNumber(String password, String mobile) {
            if (!NUMBER.matcher(password).matches()) {
                return false;
            }
            String guessed = digits(password);
            String digits = digits(mobile);
            return guessed.length() >= SHORTEST_NUMBER && (digits.endsWith(guessed) || guessed.endsWith(digits));
        }

        private static String digits(String number) {
            return BETWEEN.matcher(number).replaceAll("");
        }
    }
}
