package dev.usher.redis;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One of the scripts that keep old values out of the shared tier. Each works on two keys of one slot, a value and its guard, or on several such pairs; its
 * file describes it.
 *
 * @param source the text that Redis runs
 * @param sha1 the digest by which Redis runs it without the text
 */
record GuardScript(String source, String sha1) {

    static final GuardScript CLAIM = load("claim");
    static final GuardScript REFRESH = load("refresh");
    static final GuardScript RENEW = load("renew");
    static final GuardScript FILL = load("fill");
    static final GuardScript ABSENT = load("absent");
    static final GuardScript OFFER = load("offer");

    /** Without the common part: services in other languages send it as it stands in its file. */
    static final GuardScript FENCE = alone("fence");

    /** The heartbeat on a primary of a Cluster. */
    static final GuardScript BEAT = alone("beat");

    /** All that are run, by whatever part of usher. */
    static final List<GuardScript> ALL = List.of(
            CLAIM,
            REFRESH,
            RENEW,
            FILL,
            ABSENT,
            OFFER,
            FENCE,
            BEAT,
            ofNodes("register"),
            ofNodes("revoke"),
            ofNodes("unseen"),
            ofNodes("expel"),
            alone("tenant"));

    private static final Pattern CALL = Pattern.compile("redis\\.p?call\\('(\\w+)'");

    static GuardScript of(String source) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-1").digest(source.getBytes(StandardCharsets.UTF_8));
            return new GuardScript(source, HexFormat.of().formatHex(digest));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-1", e);
        }
    }

    /**
     * The command in a line of a script: some servers name only the line of a refused command.
     *
     * @param sha1 of the script
     * @param line counted from 1
     * @return {@code null} where there is no such script, or no call
     */
    static @Nullable String commandAt(String sha1, int line) {
        return ALL.stream()
                .filter(script -> script.sha1.equals(sha1))
                .flatMap(script ->
                        script.source.lines().skip(Math.max(0, line - 1)).limit(1))
                .map(CALL::matcher)
                .filter(Matcher::find)
                .map(call -> call.group(1))
                .findFirst()
                .orElse(null);
    }

    /** A script that needs no common part. */
    static GuardScript alone(String name) {
        return of(resource(name));
    }

    /** A script of the register of nodes. */
    static GuardScript ofNodes(String name) {
        return of(resource("nodes") + "\n" + resource(name));
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
