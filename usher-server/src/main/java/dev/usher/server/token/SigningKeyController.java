package dev.usher.server.token;

import dev.usher.server.problem.ProblemType;
import dev.usher.server.problem.Problems;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.security.SecurityRequirements;
import io.swagger.v3.oas.annotations.tags.Tag;
import org.springframework.http.CacheControl;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** Publishes the keys that tokens are verified by, and lets administrators rotate them. */
@RestController
final class SigningKeyController {

    private final SigningKeys keys;

    SigningKeyController(SigningKeys keys) {
        this.keys = keys;
    }

    @Operation(summary = "The public keys of the tokens, as a JWK set (RFC 7517)")
    @SecurityRequirements
    @Tag(name = "login")
    @GetMapping("/.well-known/jwks.json")
    ResponseEntity<PublishedKeys> published() {
        return ResponseEntity.ok()
                .cacheControl(CacheControl.maxAge(SigningKeys.PUBLISHED_FOR).cachePublic())
                .body(PublishedKeys.of(keys.published()));
    }

    @Operation(summary = "Make the key that signs next")
    @Tag(name = "administration")
    @Problems({ProblemType.FORBIDDEN, ProblemType.KEY_IN_SETTINGS})
    @PostMapping("/v1/admin/signing-keys")
    @ResponseStatus(HttpStatus.CREATED)
    SigningKeys.Next rotate() {
        return keys.rotate();
    }
}
