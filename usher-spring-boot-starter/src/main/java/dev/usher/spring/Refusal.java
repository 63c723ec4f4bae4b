package dev.usher.spring;

import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * The answer to a refused request: {@code application/problem+json}, as defined by RFC 9457.
 *
 * <p>The JSON is handwritten: a filter has no message converters, and the fields should not follow an application's naming
 * strategy.
 */
enum Refusal {
    ACCOUNT_DISABLED(
            HttpServletResponse.SC_FORBIDDEN, "urn:usher:problem:account-disabled", "The account is disabled."),
    NOT_A_USER(HttpServletResponse.SC_FORBIDDEN, "urn:usher:problem:not-a-user", "The caller is not a user."),
    UNAVAILABLE(
            HttpServletResponse.SC_SERVICE_UNAVAILABLE,
            "urn:usher:problem:unavailable",
            "This cannot be answered for the moment. Try again soon.");

    private static final String SOON = "1";

    private final int status;
    private final String type;
    private final String body;

    Refusal(int status, String type, String title) {
        this.status = status;
        this.type = type;
        this.body = "{\"type\":\"" + type + "\",\"title\":\"" + title + "\",\"status\":" + status + "}";
    }

    /** The type of the problem, a URI. */
    String type() {
        return type;
    }

    void send(HttpServletResponse response) throws IOException {
        if (response.isCommitted()) {
            return;
        }
        response.resetBuffer();
        response.setStatus(status);
        response.setContentType("application/problem+json");
        if (status == HttpServletResponse.SC_SERVICE_UNAVAILABLE) {
            response.setHeader("Retry-After", SOON);
        }
        response.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
    }
}
