package dev.usher.server.problem;

import java.net.URI;
import java.util.Locale;
import org.springframework.http.HttpStatus;

/** What can go wrong for a caller. The type's URI is stable: {@code urn:usher:problem:account-disabled}. */
public enum ProblemType {
    MALFORMED_REQUEST(HttpStatus.BAD_REQUEST, "The request cannot be read."),
    INVALID_FIELD(HttpStatus.BAD_REQUEST, "A part of the request is not valid."),
    UNAUTHENTICATED(HttpStatus.UNAUTHORIZED, "A valid bearer token is required."),
    BAD_CREDENTIALS(HttpStatus.UNAUTHORIZED, "The mobile number or the password is wrong."),
    BAD_FRESH_TOKEN(HttpStatus.UNAUTHORIZED, "The fresh token is unknown, expired, spent or revoked."),
    WRONG_PASSWORD(HttpStatus.FORBIDDEN, "The old password is wrong."),
    ACCOUNT_DISABLED(HttpStatus.FORBIDDEN, "The account is disabled."),
    NOT_A_USER(HttpStatus.FORBIDDEN, "The caller is not a user."),
    FORBIDDEN(HttpStatus.FORBIDDEN, "The caller may not do this."),
    NOT_FOUND(HttpStatus.NOT_FOUND, "There is nothing at this address."),
    SESSION_NOT_FOUND(HttpStatus.NOT_FOUND, "The caller has no such session."),
    USER_NOT_FOUND(HttpStatus.NOT_FOUND, "There is no such user."),
    METHOD_NOT_ALLOWED(HttpStatus.METHOD_NOT_ALLOWED, "The method is not supported at this address."),
    NOT_ACCEPTABLE(HttpStatus.NOT_ACCEPTABLE, "The answer can be JSON only."),
    REQUEST_TIMEOUT(HttpStatus.REQUEST_TIMEOUT, "The request's body did not arrive in time."),
    MOBILE_TAKEN(HttpStatus.CONFLICT, "The mobile number belongs to a user already."),
    OWN_ACCOUNT(HttpStatus.CONFLICT, "Administrators cannot disable their own account."),
    LAST_ADMINISTRATOR(
            HttpStatus.CONFLICT, "The last administrator who is enabled cannot be disabled, and keeps the role."),
    KEY_IN_SETTINGS(HttpStatus.CONFLICT, "The signing key is in the server's settings, and can be changed only there."),
    BODY_TOO_LARGE(HttpStatus.CONTENT_TOO_LARGE, "The request's body is too large."),
    UNSUPPORTED_MEDIA_TYPE(HttpStatus.UNSUPPORTED_MEDIA_TYPE, "The request's body must be JSON."),
    TOO_MANY_ATTEMPTS(HttpStatus.TOO_MANY_REQUESTS, "There were too many attempts. Try again later."),
    TOO_MANY_READS(HttpStatus.TOO_MANY_REQUESTS, "Too many other users were read. Try again later."),
    INTERNAL_ERROR(HttpStatus.INTERNAL_SERVER_ERROR, "The request failed. It is not the caller's fault."),
    UNAVAILABLE(HttpStatus.SERVICE_UNAVAILABLE, "This cannot be answered for the moment. Try again soon.");

    private final HttpStatus status;
    private final String title;
    private final URI uri;

    ProblemType(HttpStatus status, String title) {
        this.status = status;
        this.title = title;
        this.uri = URI.create(
                "urn:usher:problem:" + name().toLowerCase(Locale.ROOT).replace('_', '-'));
    }

    public HttpStatus status() {
        return status;
    }

    public String title() {
        return title;
    }

    public URI uri() {
        return uri;
    }
}
