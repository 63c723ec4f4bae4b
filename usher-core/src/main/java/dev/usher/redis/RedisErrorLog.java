package dev.usher.redis;

import static java.util.regex.Pattern.CASE_INSENSITIVE;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs the failures of a Redis, at most one line in ten seconds, and remembers the last one. Thread-safe. */
final class RedisErrorLog {

    private static final Logger log = LoggerFactory.getLogger(RedisErrorLog.class);

    /** The interval of log lines while a failure lasts. */
    private static final Duration WARNING = Duration.ofSeconds(10);

    /** The error codes that operators search for. Inside a script, other words stand before the code. */
    private static final Pattern ERROR_CODE =
            Pattern.compile("\\b(OOM|READONLY|NOPERM|NOAUTH|WRONGPASS|MISCONF|LOADING|NOREPLICAS|BUSY|MASTERDOWN"
                    + "|CLUSTERDOWN|max number of clients)\\b");

    /** The words of Redis within a script, where it does not use the code {@code NOPERM}. */
    private static final Pattern REFUSED_IN_SCRIPT =
            Pattern.compile("ACL failure|can't run this command|can't access at least one of the keys");

    private static final Pattern CODE = Pattern.compile("[A-Z][A-Z0-9_]*");

    /** The commands that usher and the client library send. Of an error's words, only these are shown. */
    private static final Set<String> COMMANDS = Set.of(
            "auth",
            "client",
            "client|maint_notifications",
            "client|setinfo",
            "client|tracking",
            "asking",
            "cluster|nodes",
            "cluster|slots",
            "config|get",
            "del",
            "eval",
            "evalsha",
            "exists",
            "get",
            "getex",
            "getrange",
            "hdel",
            "hello",
            "hget",
            "hgetall",
            "hlen",
            "hmget",
            "hset",
            "info",
            "llen",
            "lrange",
            "ltrim",
            "mget",
            "pexpire",
            "ping",
            "pttl",
            "rpush",
            "scan",
            "script|load",
            "select",
            "set",
            "time",
            "type",
            "wait",
            "zadd",
            "zcount",
            "zincrby",
            "zrange",
            "zrangebyscore",
            "zrem",
            "zscore");

    private static final Pattern FORBIDDEN_COMMAND = Pattern.compile("run the '([^']+)' command");
    private static final Pattern FORBIDDEN_KEY =
            Pattern.compile("access (a|one of the|at least one of the|the '.*') key");

    /** An unknown command, in the words of Redis and of proxies. */
    private static final Pattern UNKNOWN_COMMAND = Pattern.compile(
            "(?:unknown|unsupported|disabled)(?: redis)? command\\b:?(?: [`'\"]?(\\w+)[`'\"]?)?", CASE_INSENSITIVE);

    private static final Pattern SCRIPT = Pattern.compile("(?:\\bf_|script: ?)([0-9a-f]{40})");
    private static final Pattern SCRIPT_LINE = Pattern.compile("user_script: ?(\\d{1,4})");

    /** The name, from RFC 8446, of the alert by which the other end of a TLS connection has refused it. */
    private static final Pattern ALERT = Pattern.compile("fatal alert: ([a-z_]{1,40})\\b");

    private static final int SENTINEL_PORT = RedisURI.DEFAULT_SENTINEL_PORT;

    private final String named;
    private final Supplier<@Nullable ServerAddress> place;
    private final boolean isAtPortOfSentinels;
    private final AtomicLong nextWarningAt = new AtomicLong(System.nanoTime());
    private volatile @Nullable String latest;
    private volatile boolean warned;

    /** Of a server at an address, or behind Sentinels. */
    RedisErrorLog(RedisURI uri) {
        this(uri, () -> null);
    }

    /**
     * Of a server that may change.
     *
     * @param place where it is at the moment; while that is not known, its URI says it
     */
    RedisErrorLog(RedisURI uri, Supplier<@Nullable ServerAddress> place) {
        this.place = place;
        this.named = isNamedBySentinels(uri)
                ? uri.getSentinelMasterId() + " of its Sentinels"
                : uri.getHost() == null || uri.getHost().isBlank()
                        ? String.valueOf(uri.getSocket())
                        : new ServerAddress(uri.getHost(), uri.getPort()).toString();
        this.isAtPortOfSentinels = !isNamedBySentinels(uri) && uri.getPort() == SENTINEL_PORT;
    }

    /** Why the server cannot be reached. */
    String unconnectedBecause(@Nullable Throwable failure) {
        String reason = reasonOf(failure);
        String code = codeOf(failure);
        // Before a caller has authenticated, a server does not say what it is.
        return isAtPortOfSentinels && ("NOAUTH".equals(code) || "WRONGPASS".equals(code))
                ? reason + " (" + SENTINEL_PORT
                        + " is the port of a Sentinel, as a rule, which may have another password)"
                : reason;
    }

    /** Whether the address is that of Sentinels, which return the address of the primary. */
    static boolean isNamedBySentinels(RedisURI uri) {
        return !uri.getSentinels().isEmpty();
    }

    /** The address of the server, without the user name and the password; in a Cluster, that of the moment. */
    String address() {
        ServerAddress now = place.get();
        return now == null ? named : now.toString();
    }

    /** Notes that a call has failed. */
    SharedTierException failed(String what) {
        return failed(what, null);
    }

    /**
     * Notes that a call has failed.
     *
     * @param errorCode of the answer of Redis, or {@code null} when it has not answered
     */
    SharedTierException failed(String what, @Nullable String errorCode) {
        var exception = new SharedTierException("Redis at " + address() + " " + what, errorCode);
        latest = what;
        long now = System.nanoTime();
        long due = nextWarningAt.get();
        if (now - due >= 0 && nextWarningAt.compareAndSet(due, now + WARNING.toNanos())) {
            warned = true;
            log.warn("{}; the source answers instead", exception.getMessage());
        }
        return exception;
    }

    /** What a call fails with whose key is on another server of the Cluster, or on its way there: nothing that operators need to know. */
    SharedTierException elsewhere(Throwable failure) {
        return new SharedTierException(
                "Redis at " + address() + " does not have the key: " + reasonOf(failure), codeOf(failure));
    }

    /** Notes that the reason for a missing connection is now known: the next failure is logged at once, with that reason. */
    void isKnown() {
        nextWarningAt.set(System.nanoTime());
    }

    /** Notes that a call has been answered after the last one had failed. */
    void ended() {
        // Not while Redis answers one call and refuses the next.
        if (warned && System.nanoTime() - nextWarningAt.get() > 0) {
            warned = false;
            log.info("Redis at {} answers again", address());
        }
    }

    /** The last failure, or {@code null} when there has been none; without any argument of the call. */
    @Nullable String latest() {
        return latest;
    }

    /**
     * The reason of a failure, with the command if Redis has refused it, but without the text of Redis, which quotes the arguments of
     * the command, and so the user.
     */
    static String reasonOf(@Nullable Throwable failure) {
        String reason = "unknown";
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            String message = String.valueOf(cause.getMessage());
            if (cause instanceof RedisCommandExecutionException) {
                String detail = detailOf(message);
                return detail == null ? codeOf(message) : codeOf(message) + " (" + detail + ")";
            }
            if (cause instanceof NoMajorityException) {
                return message;
            }
            reason = cause.getClass().getSimpleName();
            Matcher alert = ALERT.matcher(message);
            if (cause instanceof SSLException && alert.find()) {
                reason += " (" + alert.group(1) + ")";
            }
        }
        return reason;
    }

    /** The refused command or key, or {@code null} when the error does not name it, or is not a refusal. */
    private static @Nullable String detailOf(String message) {
        Matcher forbidden = FORBIDDEN_COMMAND.matcher(message);
        if (forbidden.find()) {
            return known(forbidden.group(1));
        }
        if (FORBIDDEN_KEY.matcher(message).find()) {
            return "a key";
        }
        Matcher unknown = UNKNOWN_COMMAND.matcher(message);
        if (unknown.find()) {
            String command = known(unknown.group(1));
            command = command == null ? calledIn(message) : command;
            return command == null ? "unknown command" : "unknown command " + command;
        }
        return REFUSED_IN_SCRIPT.matcher(message).find() ? calledIn(message) : null;
    }

    /** The command at the line of a script that an error names. */
    private static @Nullable String calledIn(String message) {
        Matcher script = SCRIPT.matcher(message);
        Matcher line = SCRIPT_LINE.matcher(message);
        return script.find() && line.find()
                ? known(GuardScript.commandAt(script.group(1), Integer.parseInt(line.group(1))))
                : null;
    }

    private static @Nullable String known(@Nullable String command) {
        String lower = command == null ? "" : command.toLowerCase(Locale.ROOT);
        return COMMANDS.contains(lower) ? lower : null;
    }

    /** The error code of the answer of Redis, or {@code null} when it has not answered. */
    static @Nullable String codeOf(@Nullable Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof RedisCommandExecutionException) {
                return codeOf(String.valueOf(cause.getMessage()));
            }
        }
        return null;
    }

    private static String codeOf(String message) {
        Matcher code = ERROR_CODE.matcher(message);
        if (code.find()) {
            return code.group();
        }
        if (REFUSED_IN_SCRIPT.matcher(message).find()) {
            return "NOPERM";
        }
        String first = message.split(" ", 2)[0];
        return CODE.matcher(first).matches() ? first : "ERR";
    }
}
