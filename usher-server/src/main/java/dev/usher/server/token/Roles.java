package dev.usher.server.token;

import dev.usher.server.Dialect;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;

/** The roles of a user, as the database has them and the token says them. */
public final class Roles {

    /** May administer users. */
    public static final String ADMIN = "admin";

    private Roles() {}

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
