package dev.usher.redis;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * How far processes have come with announcing the changes of the source, in Redis: hashes {@code {user:bookmarks}:name}, which are no values and never
 * flushed. Thread-safe.
 */
public final class Bookmarks {

    private final Function<String, RedisLink> links;
    private final String prefix;

    /**
     * The bookmarks of a prefix.
     *
     * @param links by key, over which fences are sent as well: where there is one primary, a bookmark is behind the fences of before.
     *     In a Cluster it says nothing of those on other primaries
     */
    Bookmarks(Function<String, RedisLink> links, String prefix) {
        this.links = links;
        this.prefix = prefix;
    }

    /** The texts of a bookmark, by their names. */
    public CompletableFuture<Map<String, String>> read(String name) {
        String key = keyOf(name);
        RedisLink link = links.apply(key);
        try {
            return link.bounded(link.commandsToWaitFor().hgetall(key).toCompletableFuture())
                    .thenApply(found -> {
                        Map<String, String> texts = new LinkedHashMap<>();
                        found.forEach((field, text) -> texts.put(field, new String(text, StandardCharsets.UTF_8)));
                        return texts;
                    });
        } catch (SharedTierException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /** Stores texts by their names. */
    public CompletableFuture<Void> write(String name, Map<String, String> texts) {
        String key = keyOf(name);
        if (texts.isEmpty()) {
            throw new IllegalArgumentException("a bookmark without texts");
        }
        Map<String, byte[]> fields = new LinkedHashMap<>();
        texts.forEach((field, text) -> fields.put(field, text.getBytes(StandardCharsets.UTF_8)));
        RedisLink link = links.apply(key);
        try {
            return link.bounded(link.commandsToWaitFor().hset(key, fields).toCompletableFuture())
                    .thenApply(stored -> null);
        } catch (SharedTierException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private String keyOf(String name) {
        KeySpace.requirePlainText(name, "a bookmark's name");
        return "{" + prefix + ":bookmarks}:" + name;
    }
}
