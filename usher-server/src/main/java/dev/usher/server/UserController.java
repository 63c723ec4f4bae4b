package dev.usher.server;

import dev.usher.Found;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Positive;
import java.net.URI;
import org.springframework.http.HttpHeaders;
import org.springframework.http.ResponseEntity;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** Users: registration and profiles. A mobile number is shown to its owner and to administrators only. */
@RestController
final class UserController {

    private final Registrations registrations;
    private final UserProfileCache<Long> profiles;
    private final AttemptLimits attempts;

    UserController(Registrations registrations, UserProfileCache<Long> profiles, AttemptLimits attempts) {
        this.attempts = attempts;
        this.registrations = registrations;
        this.profiles = profiles;
    }

    @PostMapping("/v1/users")
    ResponseEntity<UserView> register(@Valid @RequestBody Registration registration, HttpServletRequest request) {
        attempts.countRegistration(request.getRemoteAddr());
        long id = registrations
                .register(registration)
                .orElseThrow(() -> new ProblemException(
                        ProblemType.MOBILE_TAKEN, new Problem.Field("mobile", "belongs to a user already")));
        return ResponseEntity.created(URI.create("/v1/users/" + id)).body(new UserView(id, registration.profile()));
    }

    @GetMapping("/v1/me")
    UserView me(JwtAuthenticationToken authentication, HttpServletResponse response) {
        long id = Caller.of(authentication).id();
        return new UserView(id, find(id, response));
    }

    @GetMapping("/v1/users/{id}")
    UserView user(
            @PathVariable @Positive(message = "must be positive") long id,
            JwtAuthenticationToken authentication,
            HttpServletResponse response) {
        Caller caller = Caller.of(authentication);
        UserProfile profile = find(id, response);
        return new UserView(id, caller.id() == id || caller.administrator() ? profile : profile.masked());
    }

    /** An answer that is only the last known one says so, as RFC 9211 has it; also that there was no such user. */
    private UserProfile find(long id, HttpServletResponse response) {
        Found<UserProfile> found = profiles.lookUp(id);
        if (found.isStale()) {
            // Rounded up, for it is a second old as soon as it is not known to be true.
            long age = found.staleFor().plusMillis(999).toSeconds();
            response.setHeader(HttpHeaders.AGE, Long.toString(age));
            response.setHeader("Cache-Status", "usher; hit; ttl=-" + age + "; detail=source-unavailable");
        }
        return found.value().orElseThrow(() -> new ProblemException(ProblemType.USER_NOT_FOUND));
    }
}
