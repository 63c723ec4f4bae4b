package dev.usher.server.token;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;

/** The roles of a user, as the database has them and the token says them. */
public final class Roles {

    /** May administer users. */
    public static final String ADMIN = "admin";

    /** The SQL for the roles of a row of the table {@code users}. */
    public static final String SQL =
            "ARRAY(SELECT role FROM user_roles WHERE user_id = users.id ORDER BY role) AS roles";

    private Roles() {}

    /** The roles in a row that was selected with {@link #SQL}. */
    public static List<String> of(ResultSet row) throws SQLException {
        return List.of((String[]) row.getArray("roles").getArray());
    }
}
