package dev.usher.benchmarks;

import dev.usher.UserProfile;
import dev.usher.server.UsherServer;
import dev.usher.server.user.UserView;
import java.io.PrintStream;
import org.springframework.boot.Banner;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * The server in a process of its own, until its standard input ends. Its arguments are the URI of a Redis, and the JDBC URL,
 * user name and password of a database; it prints its port.
 *
 * <p>It has one more call, {@code GET /v1/constant}, which answers with a constant profile. With the argument {@code ungated}
 * the server does not check the user's status either, so that this call does all that {@code GET /v1/me} does except asking
 * usher.
 */
final class MeasuredServer {

    static final String ANSWERED_BY_USHER = "/v1/me";
    static final String CONSTANT = "/v1/constant";
    static final String UNGATED = "ungated";

    private MeasuredServer() {}

    /** Runs the process. */
    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        boolean gated = arguments.length <= 4 || !arguments[4].equals(UNGATED);
        try (ConfigurableApplicationContext context = new SpringApplicationBuilder(UsherServer.class, ConstantMe.class)
                .bannerMode(Banner.Mode.OFF)
                .logStartupInfo(false)
                .run(
                        "--server.port=0",
                        // Callers keep their connections: connecting is not measured.
                        "--server.tomcat.max-keep-alive-requests=-1",
                        "--server.address=127.0.0.1",
                        "--spring.data.redis.url=" + arguments[0],
                        "--spring.datasource.url=" + arguments[1],
                        "--spring.datasource.username=" + arguments[2],
                        "--spring.datasource.password=" + arguments[3],
                        "--usher.web.status-gate.enabled=" + gated)) {
            answers.println(context.getEnvironment().getRequiredProperty("local.server.port"));
            while (System.in.read() >= 0) {
                // Wait for the end of the input.
            }
        }
        System.exit(0);
    }

    /** The call without a lookup. */
    @RestController
    static class ConstantMe {

        private static final UserView ANSWER =
                new UserView(42, new UserProfile(ServerCalls.MOBILE, ServerCalls.NAME, "", false, "", ""));

        @GetMapping(CONSTANT)
        UserView me() {
            return ANSWER;
        }
    }
}
