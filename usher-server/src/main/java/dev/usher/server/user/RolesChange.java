package dev.usher.server.user;

import dev.usher.server.problem.Problem;
import dev.usher.server.token.Roles;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Size;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;

/** The request to give a user these roles, and no others. */
public record RolesChange(
        @NotNull(message = Problem.Field.REQUIRED) @Size(max = 10, message = "must be 0 to 10 roles") List<
                        @NotNull(message = Problem.Field.REQUIRED) @Pattern(regexp = Roles.ADMIN, message = "must be \"admin\"") String>
                roles) {

    SortedSet<String> values() {
        return new TreeSet<>(roles);
    }
}
