package dev.usher.server.user;

import dev.usher.server.PreparationStep;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.token.Roles;
import jakarta.validation.ConstraintViolation;
import jakarta.validation.Validator;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.annotation.Order;
import org.springframework.stereotype.Component;

/** The administrator that the settings name. */
@Component
@Order(2)
final class FirstAdministrator implements PreparationStep {

    private static final Logger log = LoggerFactory.getLogger(FirstAdministrator.class);

    private final UsherServerProperties.Admin settings;
    private final Users users;
    private final Registrations registrations;
    private final Validator validator;

    FirstAdministrator(
            UsherServerProperties properties, Users users, Registrations registrations, Validator validator) {
        this.settings = properties.admin();
        this.users = users;
        this.registrations = registrations;
        this.validator = validator;
    }

    /**
     * Creates the account when there is no administrator at all.
     *
     * @throws IllegalStateException when the settings cannot make an administrator
     */
    @Override
    public void prepare() {
        String mobile = settings.mobile();
        if (mobile == null || mobile.isBlank() || users.hasAnyone(Roles.ADMIN)) {
            return;
        }
        String password = settings.password();
        if (password == null) {
            throw new IllegalStateException("usher.server.admin.password is missing");
        }
        Registration registration = new Registration(mobile, password, settings.name(), null, null, null, null);
        requireValid(registration);
        OptionalLong id = registrations.registerFirstAdministrator(registration);
        if (id.isPresent()) {
            log.info("Created the first administrator, user {}", id.getAsLong());
        } else if (!users.hasAnyone(Roles.ADMIN)) {
            // Not promoted: a stranger could have registered with that number.
            throw new IllegalStateException("usher.server.admin.mobile belongs to a user already, and that user is not"
                    + " an administrator; set another number, or give the user the role in the table user_roles");
        }
    }

    /** Names the settings without their values. */
    private void requireValid(Registration registration) {
        String faults = validator.validate(registration).stream()
                .map(fault -> describe(fault))
                .sorted()
                .collect(Collectors.joining("; "));
        if (!faults.isEmpty()) {
            throw new IllegalStateException(faults);
        }
    }

    private static String describe(ConstraintViolation<?> fault) {
        return "usher.server.admin." + fault.getPropertyPath() + " " + fault.getMessage();
    }
}
