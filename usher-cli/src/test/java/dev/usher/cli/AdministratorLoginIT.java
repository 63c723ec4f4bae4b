package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.PostgresServer;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.core.simple.JdbcClient;

class AdministratorLoginIT {

    @Test
    @Tag("thorough") // starts a server of its own
    void aDatabaseWithoutAnAdministratorIsToldFromOneThatHasOne() {
        PostgresServer postgres = SharedPostgres.POSTGRES;
        String database = postgres.createDatabase("administrators");
        try (RunningServer server = RunningServer.start(
                new ServerSettings(0, null, database, postgres.username(), postgres.password()),
                Map.of(),
                Map.of(),
                List.of(new CheapPasswords()))) {
            GeneratedAdministrator unused = GeneratedAdministrator.create();

            assertThat(AdministratorLogin.of(server, unused).account()).startsWith("none yet: set USHER_SERVER_ADMIN_");

            DemoUsers users = new DemoUsers(1);
            users.register(new ApiClient(server.address()), 0);
            assertThat(AdministratorLogin.of(server, unused).account()).startsWith("none yet");

            server.context()
                    .getBean(JdbcClient.class)
                    .sql("INSERT INTO user_roles (user_id, role) VALUES (?, 'admin')")
                    .param(users.id(0))
                    .update();
            assertThat(AdministratorLogin.of(server, unused).account()).isEqualTo("already in the database");
            assertThat(AdministratorLogin.of(server, unused).command()).doesNotContain(unused.password());
        }
    }
}
