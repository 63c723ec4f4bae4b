package dev.usher.server.token;

import dev.usher.server.Dialect;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.core.authority.SimpleGrantedAuthority;

/** The roles of a user, as the database has them and a token claims them. */
public final class Roles {

    /** May administer users. */
    public static final String ADMIN = "admin";

    static final String AUTHORITY = "ROLE_";

    private Roles() {}

    /** Roles as authorities of Spring Security: {@code ROLE_admin}. */
    public static List<GrantedAuthority> authorities(List<String> roles) {
        return roles.stream()
                .<GrantedAuthority>map(role -> new SimpleGrantedAuthority(AUTHORITY + role))
                .toList();
    }

    /** The SQL for the roles of a row of the table {@code users}. */
    public static String sql(Dialect dialect) {
        return "(SELECT " + dialect.joined("role") + " FROM user_roles WHERE user_id = users.id) AS roles";
    }

    /** The roles in a row that was selected with {@link #sql}. */
    public static List<String> of(ResultSet row) throws SQLException {
        String roles = row.getString("roles");
        return roles == null ? List.of() : List.of(roles.split(",", -1));
    }
}
