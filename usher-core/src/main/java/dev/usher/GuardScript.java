package dev.usher;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * One of the scripts that keep the shared tier free of old values. Each works on two keys of one slot, a value and its
 * guard, and says in its own file what it does.
 *
 * @param source the text that Redis runs
 * @param sha1 the name under which Redis knows it
 */
record GuardScript(String source, String sha1) {

    static final GuardScript CLAIM = load("claim");
    static final GuardScript REFRESH = load("refresh");
    static final GuardScript RENEW = load("renew");
    static final GuardScript FILL = load("fill");
    static final GuardScript OFFER = load("offer");
    static final GuardScript FENCE = load("fence");

    static GuardScript of(String source) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-1").digest(source.getBytes(StandardCharsets.UTF_8));
            return new GuardScript(source, HexFormat.of().formatHex(digest));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-1", e);
        }
    }

    /** A script that is no part of the guard protocol, and stands by itself. */
    static GuardScript alone(String name) {
        return of(resource(name));
    }

    private static GuardScript load(String name) {
        return of(resource("guard") + "\n" + resource(name));
    }

    private static String resource(String name) {
        String file = name + ".lua";
        try (InputStream in = GuardScript.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new IllegalStateException(file + " is missing from the class path");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
