package dev.usher.server;

import jakarta.validation.Valid;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** How a user gets tokens. */
@RestController
final class LoginController {

    private final Logins logins;

    LoginController(Logins logins) {
        this.logins = logins;
    }

    @PostMapping("/v1/login")
    TokenPair login(@Valid @RequestBody Credentials credentials) {
        return logins.login(credentials);
    }

    @PostMapping("/v1/token/refresh")
    TokenPair refresh(@Valid @RequestBody TokenRefresh refresh) {
        return logins.refresh(refresh);
    }
}
