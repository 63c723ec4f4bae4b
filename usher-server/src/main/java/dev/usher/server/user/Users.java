package dev.usher.server.user;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.token.Roles;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
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
import org.springframework.jdbc.core.RowMapper;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.transaction.support.TransactionOperations;

/** The table of users, and the sources that the caches read it through. */
@Configuration(proxyBeanMethods = false)
public class Users {

    private static final String PROFILE = "mobile, name, profile_photo, is_media, introduction, certificate";

    private final JdbcClient jdbc;
    private final TransactionOperations transactions;

    Users(JdbcClient jdbc, TransactionOperations transactions) {
        this.jdbc = jdbc;
        this.transactions = transactions;
    }

    @Bean
    UserSource<Long, UserProfile> profileSource() {
        return ids -> load("SELECT id, " + PROFILE + " FROM users WHERE id = ANY (?)", ids, Users::profile);
    }

    @Bean
    UserSource<Long, UserStatus> statusSource() {
        return ids -> load("SELECT id, status FROM users WHERE id = ANY (?)", ids, Users::status);
    }

    /** The account with a mobile number, in one query. */
    public Optional<Account> findByMobile(String mobile) {
        return jdbc.sql("SELECT id, password_hash, " + PROFILE + ", status, " + Roles.SQL + " FROM users"
                        + " WHERE mobile = ?")
                .param(mobile)
                .query((row, number) -> new Account(
                        row.getLong("id"),
                        row.getString("password_hash"),
                        profile(row, number),
                        status(row, number),
                        Roles.of(row)))
                .optional();
    }

    /**
     * Adds a user.
     *
     * @return the id, or empty when the mobile number is taken
     */
    OptionalLong add(UserProfile profile, String passwordHash) {
        return jdbc.sql("INSERT INTO users (password_hash, " + PROFILE
                        + ") VALUES (?, ?, ?, NULLIF(?, ''), ?, NULLIF(?, ''), NULLIF(?, ''))"
                        + " ON CONFLICT (mobile) DO NOTHING RETURNING id")
                .params(
                        passwordHash,
                        profile.mobile(),
                        profile.name(),
                        profile.photo(),
                        profile.isMedia(),
                        profile.intro(),
                        profile.certi())
                .query(Long.class)
                .optional()
                .map(OptionalLong::of)
                .orElseGet(OptionalLong::empty);
    }

    /**
     * Changes fields of a user's profile, and nothing else.
     *
     * @param values the new values; {@code null} removes one
     * @return the profile after the change, or empty when there is no such user
     */
    Optional<UserProfile> change(long id, Map<ProfileField, @Nullable Object> values) {
        String assignments =
                values.keySet().stream().map(ProfileField::assignment).collect(Collectors.joining(", "));
        List<@Nullable Object> parameters = new ArrayList<>(values.values());
        parameters.add(id);
        return jdbc.sql("UPDATE users SET " + assignments + ", updated_at = now() WHERE id = ? RETURNING " + PROFILE)
                .params(parameters)
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
        if (status == UserStatus.DISABLED && isLastAdministrator(id)) {
            throw new ProblemException(ProblemType.LAST_ADMINISTRATOR);
        }
        return jdbc.sql("UPDATE users SET status = ?, updated_at = now() WHERE id = ?")
                        .params(status.code(), id)
                        .update()
                == 1;
    }

    /**
     * Whether a user is the only enabled administrator. The rows of all administrators stay locked: of two administrators that disable each other,
     * the second sees the change of the first. The order is always the same, or each could wait for the other.
     */
    private boolean isLastAdministrator(long id) {
        Map<Long, UserStatus> administrators = new HashMap<>();
        jdbc.sql("""
                        SELECT id, status FROM users
                        WHERE id IN (SELECT user_id FROM user_roles WHERE role = ?)
                            AND EXISTS (SELECT 1 FROM user_roles WHERE role = ? AND user_id = ?)
                        ORDER BY id FOR NO KEY UPDATE
                        """)
                .params(Roles.ADMIN, Roles.ADMIN, id)
                .query((row, number) -> administrators.put(row.getLong("id"), status(row, number)))
                .list();
        administrators.values().removeIf(other -> other != UserStatus.ENABLED);
        return administrators.keySet().equals(Set.of(id));
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
            jdbc.sql("LOCK TABLE user_roles IN SHARE ROW EXCLUSIVE MODE").update();
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

    private <V> Map<Long, V> load(String sql, Set<Long> ids, RowMapper<V> mapper) {
        Map<Long, V> found = new HashMap<>();
        jdbc.sql(sql)
                .param((Object) ids.toArray(Long[]::new))
                .query((row, number) -> {
                    found.put(row.getLong("id"), mapper.mapRow(row, number));
                    return true;
                })
                .list();
        return found;
    }
}
