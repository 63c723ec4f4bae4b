package dev.usher.server;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.validation.Valid;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** How a user gets tokens. */
@RestController
final class LoginController {

    private final Logins logins;
    private final AttemptLimits attempts;

    LoginController(Logins logins, AttemptLimits attempts) {
        this.logins = logins;
        this.attempts = attempts;
    }

    @PostMapping("/v1/login")
    TokenPair login(@Valid @RequestBody Credentials credentials, HttpServletRequest request) {
        return attempts.login(credentials.mobile(), request.getRemoteAddr(), () -> logins.login(credentials));
    }

    @PostMapping("/v1/token/refresh")
    TokenPair refresh(@Valid @RequestBody TokenRefresh refresh) {
        return logins.refresh(refresh);
    }
}
