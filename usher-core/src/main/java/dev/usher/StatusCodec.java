package dev.usher;

import java.nio.charset.StandardCharsets;

/** A status as one byte: nothing but the text {@code 1} means enabled, and nothing but {@code 0} disabled. */
final class StatusCodec implements FacetCodec<UserStatus> {

    @Override
    public byte[] encode(UserStatus value) {
        return Integer.toString(value.code()).getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public UserStatus decode(byte[] bytes) {
        if (bytes.length != 1) {
            throw new IllegalArgumentException("a status is one byte");
        }
        return UserStatus.of(bytes[0] - '0');
    }
}
