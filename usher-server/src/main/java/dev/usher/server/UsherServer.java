package dev.usher.server;

import org.springframework.boot.ExitCodeEvent;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.security.autoconfigure.UserDetailsServiceAutoConfiguration;
import org.springframework.context.ApplicationListener;
import org.springframework.scheduling.annotation.EnableScheduling;

/**
 * The user service. It needs a database of PostgreSQL or MariaDB ({@code spring.datasource.*}) and a Redis ({@code
 * spring.data.redis.*}), and serves HTTP on port 8080, or on the one that the environment variable {@code PORT} names.
 * What it answers is described at {@code /v3/api-docs}; {@code MANAGEMENT_PORT} moves the actuator to a port of its own.
 */
@SpringBootApplication(exclude = UserDetailsServiceAutoConfiguration.class)
@EnableConfigurationProperties(UsherServerProperties.class)
@EnableScheduling
public class UsherServer {

    /** Starts the service, and returns when it serves. */
    public static void main(String[] args) {
        SpringApplication server = new SpringApplication(UsherServer.class);
        server.addListeners(new ProcessEnd());
        server.run(args);
    }

    /** Ends the process when the server ends itself. */
    private static final class ProcessEnd implements ApplicationListener<ExitCodeEvent> {

        @Override
        public void onApplicationEvent(ExitCodeEvent end) {
            System.exit(end.getExitCode());
        }
    }
}
