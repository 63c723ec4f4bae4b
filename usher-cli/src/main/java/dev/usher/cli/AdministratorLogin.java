package dev.usher.cli;

import dev.usher.server.UsherServerProperties;
import java.util.Optional;
import org.springframework.dao.DataAccessResourceFailureException;
import org.springframework.jdbc.core.simple.JdbcClient;

/**
 * The lines about the administrator that a command prints. Credentials in the settings are known, and not shown; generated ones are shown.
 *
 * @param account the mobile number and the password, or where they are set
 * @param command a command that logs in
 */
record AdministratorLogin(String account, String command) {

    private static final String MOBILE_VARIABLE = "USHER_SERVER_ADMIN_MOBILE";
    private static final String PASSWORD_VARIABLE = "USHER_SERVER_ADMIN_PASSWORD";

    static AdministratorLogin of(RunningServer server, GeneratedAdministrator generated) {
        UsherServerProperties.Admin settings =
                server.context().getBean(UsherServerProperties.class).admin();
        Optional<Boolean> named;
        try {
            named = server.context()
                    .getBean(JdbcClient.class)
                    .sql("SELECT max(CASE WHEN mobile = ? THEN 1 ELSE 0 END) FROM users JOIN user_roles ON user_id = id"
                            + " WHERE role = 'admin'")
                    .param(settings.mobile() == null ? "" : settings.mobile())
                    .query(Integer.class)
                    .optional()
                    .map(isNamed -> isNamed == 1);
        } catch (DataAccessResourceFailureException e) {
            return new AdministratorLogin("not known before the database can be reached", curl(server, "...", "..."));
        }
        if (named.isEmpty()) {
            return new AdministratorLogin(
                    "none yet: set " + MOBILE_VARIABLE + " and " + PASSWORD_VARIABLE + ", and start again",
                    curl(server, "...", "..."));
        }
        if (!named.get()) {
            return new AdministratorLogin("already in the database", curl(server, "...", "..."));
        }
        boolean mobileGenerated = generated.mobile().equals(settings.mobile());
        boolean passwordGenerated = generated.password().equals(settings.password());
        return new AdministratorLogin(
                "mobile " + (mobileGenerated ? generated.mobile() : "as set in " + MOBILE_VARIABLE) + ", password "
                        + (passwordGenerated
                                ? generated.password() + "  (generated; shown only now)"
                                : "as set in " + PASSWORD_VARIABLE + " when the account was created"),
                curl(
                        server,
                        mobileGenerated ? generated.mobile() : "...",
                        passwordGenerated ? generated.password() : "..."));
    }

    private static String curl(RunningServer server, String mobile, String password) {
        return "curl -H 'Content-Type: application/json' -d '{\"mobile\": \"" + mobile + "\", \"password\": \""
                + password + "\"}' " + server.address() + "/v1/login";
    }

    /** Without the password. */
    @Override
    public String toString() {
        return "AdministratorLogin[]";
    }
}
