package dev.usher.server.token;

/**
 * The answer to a login and to a refresh.
 *
 * @param token sent with each call
 * @param freshToken the refresh token, by its name in JSON: exchanged once for the next pair
 * @param tokenType always {@code Bearer}
 * @param expiresIn how long the token is honoured, in seconds
 */
public record TokenPair(String token, String freshToken, String tokenType, long expiresIn) {

    @Override
    public String toString() {
        return "TokenPair[]";
    }
}
