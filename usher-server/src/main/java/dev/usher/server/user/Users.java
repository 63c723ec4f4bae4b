package dev.usher.server.user;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.server.Dialect;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Access;
import dev.usher.server.token.Roles;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.dao.DuplicateKeyException;
import org.springframework.jdbc.core.RowMapper;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.support.GeneratedKeyHolder;
import org.springframework.jdbc.support.KeyHolder;
import org.springframework.transaction.support.TransactionOperations;

/** The table of users, and the sources that the caches read it through. */
@Configuration(proxyBeanMethods = false)
public class Users {

    private static final String PROFILE = "mobile, name, profile_photo, is_media, introduction, certificate";

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;
    private final Dialect dialect;

    Users(JdbcClient jdbc, TransactionOperations transactions, Dialect dialect) {
        this.jdbc = jdbc;
        this.transactions = transactions;
        this.dialect = dialect;
    }

    @Bean
    UserSource<Long, UserProfile> profileSource() {
        return ids -> load("SELECT id, " + PROFILE + " FROM users WHERE id ", ids, Users::profile);
    }

    @Bean
    UserSource<Long, UserStatus> statusSource() {
        return ids -> load("SELECT id, status FROM users WHERE id ", ids, Users::status);
    }

    /** The account with a mobile number, in one query. */
    public Optional<Account> findByMobile(String mobile) {
        return jdbc.sql("SELECT id, password_hash, " + PROFILE + ", status, " + Access.sql(dialect) + " FROM users"
                        + " WHERE mobile = ?")
                .param(mobile)
                .query((row, number) -> new Account(
                        row.getLong("id"),
                        row.getString("password_hash"),
                        profile(row, number),
                        status(row, number),
                        Access.of(row)))
                .optional();
    }

    /** What a user logs in with. */
    record Credentials(String mobile, String passwordHash) {

        @Override
        public String toString() {
            return "Credentials[]";
        }
    }

    /** What a user logs in with, or empty when there is no such user. */
    Optional<Credentials> credentialsOf(long id) {
        return jdbc.sql("SELECT mobile, password_hash FROM users WHERE id = ?")
                .param(id)
                .query((row, number) -> new Credentials(row.getString("mobile"), row.getString("password_hash")))
                .optional();
    }

    /**
     * Changes a password, in a transaction of the caller.
     *
     * @param before the hash that it replaces
     * @return whether the user has that one
     */
    boolean changePassword(long id, String before, String hash) {
        return jdbc.sql("UPDATE users SET password_hash = ?, updated_at = " + dialect.now()
                                + " WHERE id = ? AND password_hash = ?")
                        .params(hash, id, before)
                        .update()
                == 1;
    }

    /**
     * Adds a user.
     *
     * @return the id, or empty when the mobile number is taken
     */
    OptionalLong add(UserProfile profile, String passwordHash) {
        List<@Nullable Object> row = Arrays.asList(
                passwordHash,
                profile.mobile(),
                profile.name(),
                ProfileField.PHOTO.stored(profile.photo()),
                profile.isMedia(),
                ProfileField.INTRO.stored(profile.intro()),
                ProfileField.CERTI.stored(profile.certi()));
        KeyHolder id = new GeneratedKeyHolder();
        try {
            var unused = jdbc.sql("INSERT INTO users (password_hash, " + PROFILE + ") VALUES (?, ?, ?, ?, ?, ?, ?)"
                            + dialect.orNothing("mobile"))
                    .params(row)
                    .update(id, "id");
        } catch (DuplicateKeyException e) {
            return OptionalLong.empty();
        }
        // Drivers disagree on its class.
        Number added = id.getKey();
        return added == null ? OptionalLong.empty() : OptionalLong.of(added.longValue());
    }

    /**
     * Changes fields of a user's profile, and nothing else, in a transaction of the caller.
     *
     * @param values the new values; {@code null} removes one
     * @return the profile after the change, or empty when there is no such user
     */
    Optional<UserProfile> change(long id, Map<ProfileField, @Nullable Object> values) {
        String assignments =
                values.keySet().stream().map(ProfileField::assignment).collect(Collectors.joining(", "));
        List<@Nullable Object> parameters = new ArrayList<>();
        values.forEach((field, value) -> parameters.add(field.stored(value)));
        parameters.add(id);
        String update = "UPDATE users SET " + assignments + ", updated_at = " + dialect.now() + " WHERE id = ?";
        if (dialect == Dialect.POSTGRESQL) {
            return jdbc.sql(update + " RETURNING " + PROFILE)
                    .params(parameters)
                    .query(Users::profile)
                    .optional();
        }
        jdbc.sql(update).params(parameters).update();
        // The row is locked by the update.
        return jdbc.sql("SELECT " + PROFILE + " FROM users WHERE id = ?")
                .param(id)
                .query(Users::profile)
                .optional();
    }

    /**
     * Sets a user's status, in a transaction of the caller.
     *
     * @return whether there is such a user
     * @throws ProblemException when the last enabled administrator would be disabled
     */
    boolean setStatus(long id, UserStatus status) {
        boolean isThere = jdbc.sql("UPDATE users SET status = ?, updated_at = " + dialect.now() + " WHERE id = ?")
                        .params(status.code(), id)
                        .update()
                == 1;
        if (status == UserStatus.DISABLED && rolesOf(id).contains(Roles.ADMIN)) {
            lockRoles();
            requireAdministrator();
        }
        return isThere;
    }

    /**
     * Sets a user's roles, in a transaction of the caller.
     *
     * @return whether there is such a user
     * @throws ProblemException when no enabled administrator would be left
     */
    boolean setRoles(long id, Set<String> roles) {
        boolean isThere = jdbc.sql("SELECT 1 FROM users WHERE id = ? " + dialect.forUpdate())
                .param(id)
                .query(Integer.class)
                .optional()
                .isPresent();
        if (!isThere) {
            return false;
        }
        lockRoles();
        Set<String> before = rolesOf(id);
        for (String role : roles) {
            if (!before.contains(role)) {
                jdbc.sql("INSERT INTO user_roles (user_id, role) VALUES (?, ?)")
                        .params(id, role)
                        .update();
            }
        }
        for (String role : before) {
            if (!roles.contains(role)) {
                jdbc.sql("DELETE FROM user_roles WHERE user_id = ? AND role = ?")
                        .params(id, role)
                        .update();
            }
        }
        if (before.contains(Roles.ADMIN) && !roles.contains(Roles.ADMIN)) {
            requireAdministrator();
        }
        return true;
    }

    private Set<String> rolesOf(long id) {
        return Set.copyOf(jdbc.sql("SELECT role FROM user_roles WHERE user_id = ?")
                .param(id)
                .query(String.class)
                .list());
    }

    /**
     * Waits for every other transaction that may leave fewer enabled administrators. Each locks the row of its user before, and no row after: a
     * user who is disabled has the roles that were read, and none of two waits for the other.
     */
    private void lockRoles() {
        jdbc.sql(dialect.lock("user_roles")).update();
    }

    /** Requires an enabled administrator, once this transaction has made its change, and no other one can make such a change. */
    private void requireAdministrator() {
        boolean isLeft = jdbc.sql("SELECT EXISTS (SELECT 1 FROM users JOIN user_roles ON user_id = id"
                        + " WHERE role = ? AND status = ?)")
                .params(Roles.ADMIN, UserStatus.ENABLED.code())
                .query(Boolean.class)
                .single();
        if (!isLeft) {
            throw new ProblemException(ProblemType.LAST_ADMINISTRATOR);
        }
    }

    /**
     * Adds a user with a role that no user has yet. Safe when several nodes do so at once.
     *
     * @param passwordHash called only when the hash is needed, since it takes long
     * @return the id, or empty when a user has the role already or the mobile number is taken
     */
    OptionalLong addFirst(String role, UserProfile profile, Supplier<String> passwordHash) {
        return Objects.requireNonNull(transactions.execute(transaction -> {
            // This lock excludes itself, but no reader, nor the insert of a user.
            jdbc.sql(dialect.lock("user_roles")).update();
            if (hasAnyone(role)) {
                return OptionalLong.empty();
            }
            OptionalLong id = add(profile, passwordHash.get());
            id.ifPresent(added -> jdbc.sql("INSERT INTO user_roles (user_id, role) VALUES (?, ?)")
                    .params(added, role)
                    .update());
            return id;
        }));
    }

    boolean hasAnyone(String role) {
        return jdbc.sql("SELECT EXISTS (SELECT 1 FROM user_roles WHERE role = ?)")
                .param(role)
                .query(Boolean.class)
                .single();
    }

    private static UserStatus status(ResultSet row, int number) throws SQLException {
        return UserStatus.of(row.getInt("status"));
    }

    private static UserProfile profile(ResultSet row, int number) throws SQLException {
        return UserProfile.ofNullable(
                row.getString("mobile"),
                row.getString("name"),
                row.getString("profile_photo"),
                row.getBoolean("is_media"),
                row.getString("introduction"),
                row.getString("certificate"));
    }

    /** Loads users. The SQL ends before the condition on the id. */
    private <V> Map<Long, V> load(String sql, Set<Long> ids, RowMapper<V> mapper) {
        Dialect.OneOf oneOf = dialect.oneOf(ids);
        Map<Long, V> found = new HashMap<>();
        jdbc.sql(sql + oneOf.sql())
                .params(oneOf.parameters())
                .query((row, number) -> {
                    found.put(row.getLong("id"), mapper.mapRow(row, number));
                    return true;
                })
                .list();
        return found;
    }
}
