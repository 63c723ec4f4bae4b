package dev.usher.server.token;

/**
 * What a login and a refresh answer.
 *
 * @param token what the user sends with each call
 * @param freshToken what the user exchanges, once, for the next pair
 * @param tokenType always {@code Bearer}
 * @param expiresIn how long the token is honoured, in seconds
 */
public record TokenPair(String token, String freshToken, String tokenType, long expiresIn) {

    @Override
    public String toString() {
        return "TokenPair[]";
    }
}
