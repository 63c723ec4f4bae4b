package dev.usher.redis;

import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** The keys of the register of nodes, as one node sees them, and the scripts that work on them: they take and answer texts and numbers. */
final class RegisterScripts {

    /** Writes a node's entry. */
    static final GuardScript REGISTER = GuardScript.ofNodes("register");

    /** Gives a number to users that were revoked. */
    static final GuardScript REVOKE = GuardScript.ofNodes("revoke");

    /** How many nodes have not seen a number. */
    static final GuardScript UNSEEN = GuardScript.ofNodes("unseen");

    /** Takes silent nodes away. */
    static final GuardScript EXPEL = GuardScript.ofNodes("expel");

    private static final String KEY_END = ":nodes}";

    private final String node;
    private final String signal;
    private final String bySeen;
    private final String byChange;
    private final String own;
    private final String ended;
    private final String[] all;

    /**
     * Of one prefix.
     *
     * @param keyPrefix what all keys of the caches begin with
     * @param node this node's name
     */
    RegisterScripts(String keyPrefix, String node) {
        String key = keyOf(keyPrefix);
        this.node = node;
        this.signal = key + ":signal";
        this.bySeen = key + ":seen";
        this.byChange = key + ":changed";
        this.own = key + ":node:" + node;
        this.ended = key + ":ended";
        this.all = new String[] {signal, key, bySeen, byChange, own, key + ":names", ended};
    }

    /** The key of the marks beside the register of the nodes that share a prefix. */
    static String keyOf(String prefix) {
        return "{" + prefix + KEY_END;
    }

    /** The prefix whose nodes' marks have this key, or {@code null} when it is none of marks. */
    static @Nullable String prefixOf(String key) {
        return key.startsWith("{") && key.endsWith(KEY_END) ? key.substring(1, key.length() - KEY_END.length()) : null;
    }

    /** This node's name. */
    String node() {
        return node;
    }

    /** The key of the signal: users were revoked. */
    String signal() {
        return signal;
    }

    /** The key of the marks of homes. */
    String homes() {
        return all[1];
    }

    /** The key of the nodes by the last number that each has seen. */
    String bySeen() {
        return bySeen;
    }

    /** The key of the nodes by a count of changes at their last entry. */
    String byChange() {
        return byChange;
    }

    /** The key of the mark of this node's last entry. */
    String own() {
        return own;
    }

    /** The key of the mark of another node's last entry. */
    String ownOf(String other) {
        return own.substring(0, own.length() - node.length()) + other;
    }

    /** The key of how many open things listeners have ended, by node. */
    String ended() {
        return ended;
    }

    /** Runs one of the scripts. */
    CompletableFuture<List<?>> run(RedisAsyncCommands<String, byte[]> redis, GuardScript script, byte[]... arguments) {
        return GuardProtocol.<List<?>, List<?>>run(
                redis, script, all, ScriptOutputType.MULTI, arguments, answer -> answer);
    }

    /** The text in an answer, or {@code ""} when there is none. */
    static String text(@Nullable Object bytes) {
        return bytes == null ? "" : new String((byte[]) bytes, StandardCharsets.UTF_8);
    }

    static byte[] bytes(long number) {
        return bytes(Long.toString(number));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
