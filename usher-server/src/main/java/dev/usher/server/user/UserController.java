package dev.usher.server.user;

import dev.usher.Lookup;
import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.server.UsherServerProperties;
import dev.usher.server.attempt.AttemptLimits;
import dev.usher.server.attempt.ReadLimits;
import dev.usher.server.problem.Problem;
import dev.usher.server.problem.ProblemException;
import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import dev.usher.server.token.Caller;
import dev.usher.spring.UsherProperties;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.enums.Explode;
import io.swagger.v3.oas.annotations.headers.Header;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.responses.ApiResponse;
import io.swagger.v3.oas.annotations.security.SecurityRequirements;
import io.swagger.v3.oas.annotations.tags.Tag;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Size;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.security.oauth2.server.resource.authentication.JwtAuthenticationToken;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PatchMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Users: registration, and profiles and their change. A mobile number is shown to its owner and to administrators only. */
@RestController
@Tag(name = "users")
final class UserController {

    static final String MERGE_PATCH = "application/merge-patch+json";

    private final Registrations registrations;
    private final ProfileChanges changes;
    private final UserProfileCache<Long> profiles;
    private final AttemptLimits attempts;
    private final ReadLimits reads;
    private final Duration stalenessBound;

    UserController(
            Registrations registrations,
            ProfileChanges changes,
            UserProfileCache<Long> profiles,
            AttemptLimits attempts,
            ReadLimits reads,
            UsherProperties caches) {
        this.stalenessBound = caches.profile().stalenessBound();
        this.attempts = attempts;
        this.reads = reads;
        this.registrations = registrations;
        this.changes = changes;
        this.profiles = profiles;
    }

    @Operation(summary = "Register")
    @ApiResponse(
            responseCode = "201",
            description = "Registered",
            headers =
                    @Header(
                            name = HttpHeaders.LOCATION,
                            description = "Where the user is",
                            schema = @Schema(type = "string")))
    @SecurityRequirements
    @Problems({ProblemType.MOBILE_TAKEN, ProblemType.TOO_MANY_ATTEMPTS})
    @PostMapping(path = "/v1/users", consumes = MediaType.APPLICATION_JSON_VALUE)
    ResponseEntity<UserView> register(@Valid @RequestBody Registration registration, HttpServletRequest request) {
        attempts.countRegistration(request.getRemoteAddr());
        long id = registrations
                .register(registration)
                .orElseThrow(() -> new ProblemException(
                        ProblemType.MOBILE_TAKEN, new Problem.Field("mobile", "belongs to a user already")));
        return ResponseEntity.created(URI.create("/v1/users/" + id)).body(new UserView(id, registration.profile()));
    }

    @Operation(summary = "The caller's profile")
    @MayBeStale
    @Problems(ProblemType.USER_NOT_FOUND)
    @GetMapping("/v1/me")
    UserView me(JwtAuthenticationToken authentication, HttpServletResponse response) {
        Caller caller = Caller.of(authentication);
        return view(caller.id(), caller, response);
    }

    @Operation(summary = "Change the caller's profile")
    @Announced
    @Problems(ProblemType.USER_NOT_FOUND)
    @PatchMapping(
            path = "/v1/me",
            consumes = {UserController.MERGE_PATCH, MediaType.APPLICATION_JSON_VALUE},
            // A request that does not accept the answer changes nothing.
            produces = MediaType.APPLICATION_JSON_VALUE)
    ResponseEntity<UserView> change(@RequestBody ProfilePatch patch, JwtAuthenticationToken authentication) {
        long id = Caller.of(authentication).id();
        return answer(id, changes.apply(id, patch));
    }

    /** What a user has by the platform's grant, and cannot set. */
    @Operation(summary = "Grant or take away what only the platform grants")
    @Announced
    @Tag(name = "administration")
    @Problems({ProblemType.FORBIDDEN, ProblemType.USER_NOT_FOUND})
    @PatchMapping(
            path = "/v1/admin/users/{id}",
            consumes = {UserController.MERGE_PATCH, MediaType.APPLICATION_JSON_VALUE},
            produces = MediaType.APPLICATION_JSON_VALUE)
    ResponseEntity<UserView> grant(@PathVariable UserId id, @RequestBody GrantPatch patch) {
        return answer(id.value(), changes.apply(id.value(), patch));
    }

    private ResponseEntity<UserView> answer(long id, ProfileChange change) {
        return ResponseEntity.ok().headers(change.headers(stalenessBound)).body(new UserView(id, change.profile()));
    }

    @Operation(summary = "A user's profile")
    @MayBeStale
    @Problems({ProblemType.USER_NOT_FOUND, ProblemType.TOO_MANY_READS})
    @GetMapping("/v1/users/{id}")
    UserView user(@PathVariable UserId id, JwtAuthenticationToken authentication, HttpServletResponse response) {
        Caller caller = Caller.of(authentication);
        reads.count(caller, List.of(id.value()));
        return view(id.value(), caller, response);
    }

    /** The users that exist, in the order of the ids. */
    @Operation(summary = "The profiles of several users")
    @MayBeStale
    @Problems(ProblemType.TOO_MANY_READS)
    @GetMapping("/v1/users")
    List<UserView> users(
            @Parameter(explode = Explode.FALSE)
                    @RequestParam
                    @Size(min = 1, max = UsherServerProperties.MAX_IDS, message = "must be 1 to 200 ids") Set<UserId> ids,
            JwtAuthenticationToken authentication,
            HttpServletResponse response) {
        List<Long> values = ids.stream().map(UserId::value).toList();
        Caller caller = Caller.of(authentication);
        reads.count(caller, values);
        return views(values, caller, response);
    }

    private UserView view(long id, Caller caller, HttpServletResponse response) {
        Lookup<UserProfile> found = profiles.lookUp(id);
        flag(found.staleFor(), response);
        return found.value()
                .map(profile -> view(id, profile, caller))
                .orElseThrow(() -> new ProblemException(ProblemType.USER_NOT_FOUND));
    }

    private List<UserView> views(List<Long> ids, Caller caller, HttpServletResponse response) {
        Map<Long, Lookup<UserProfile>> found = profiles.lookUpAll(ids);
        flag(found.values().stream().map(Lookup::staleFor).reduce(Duration.ZERO, UserController::longer), response);
        return ids.stream()
                .flatMap(id -> Objects.requireNonNull(found.get(id)).value().stream()
                        .map(profile -> view(id, profile, caller)))
                .toList();
    }

    private static UserView view(long id, UserProfile profile, Caller caller) {
        return new UserView(id, caller.maySeeMobileOf(id) ? profile : profile.masked());
    }

    /** Marks the last known answer as stale (RFC 9211), also where it says that there was no such user. */
    private static void flag(Duration staleFor, HttpServletResponse response) {
        if (!staleFor.isZero()) {
            // Rounded up: an answer that is not known to be true is at least a second old.
            long age = staleFor.plusMillis(999).toSeconds();
            response.setHeader(HttpHeaders.AGE, Long.toString(age));
            response.setHeader("Cache-Status", "usher; hit; ttl=-" + age + "; detail=source-unavailable");
        }
    }

    private static Duration longer(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? other : one;
    }
}
