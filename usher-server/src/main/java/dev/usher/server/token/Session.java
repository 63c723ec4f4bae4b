package dev.usher.server.token;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A login of a user that has not ended, with what has followed it.
 *
 * @param id of the family of its refresh tokens
 * @param begun when the user logged in
 * @param lastUsed when its tokens were issued last: at the login or at the last refresh
 * @param address from which they were asked for, or {@code null} where a server of the release before has issued them
 * @param current whether the caller's token belongs to it
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Session(
        UUID id, Instant begun, Instant lastUsed, @Nullable String address, boolean current) {}
