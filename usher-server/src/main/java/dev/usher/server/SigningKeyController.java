package dev.usher.server;

import java.util.Map;
import org.springframework.http.CacheControl;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** The keys of the tokens: the public ones for everybody, and their change by administrators. */
@RestController
final class SigningKeyController {

    private final SigningKeys keys;

    SigningKeyController(SigningKeys keys) {
        this.keys = keys;
    }

    /** A JWK set, as RFC 7517 has it. */
    @GetMapping("/.well-known/jwks.json")
    ResponseEntity<Map<String, Object>> published() {
        return ResponseEntity.ok()
                .cacheControl(CacheControl.maxAge(SigningKeys.PUBLISHED_FOR).cachePublic())
                .body(keys.published().toJSONObject(true));
    }

    @PostMapping("/v1/admin/signing-keys")
    @ResponseStatus(HttpStatus.CREATED)
    SigningKeys.Next rotate() {
        return keys.rotate();
    }
}
