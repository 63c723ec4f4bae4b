package dev.usher.relay;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Whether a change of a row concerns more than its ignored columns: it remembers what the others held when it last saw the row. A row that it does not remember
 * concerns. To be begun anew with each session: another relay may have seen changes in between. Confined to one thread.
 */
final class Relevance {

    static final int ROWS = 100_000;

    private final Map<Seen, Long> digests = new LinkedHashMap<>(1024, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Seen, Long> eldest) {
            return size() > ROWS;
        }
    };

    private final MessageDigest sha = sha256();

    private record Seen(String table, String id) {}

    /** Notes a row, and says whether its change is to be announced. */
    boolean isRelevant(Change.Row row, String id) {
        if (row.table().ignored().isEmpty()) {
            return true;
        }
        Seen seen = new Seen(row.table().qualifiedName(), id);
        Map<String, @Nullable String> after = row.after();
        if (after == null) {
            digests.remove(seen);
            return true;
        }
        long digest = digestOf(after, row.table());
        Long earlier = digests.put(seen, digest);
        return earlier == null || earlier != digest;
    }

    /** A table has been emptied, or something is not known. */
    void forget() {
        digests.clear();
    }

    private long digestOf(Map<String, @Nullable String> row, WatchedTable table) {
        sha.reset();
        new TreeMap<>(row).forEach((column, text) -> {
            if (!table.ignored().contains(column)) {
                update(column);
                update(text);
            }
        });
        return ByteBuffer.wrap(sha.digest()).getLong();
    }

    /** With its length first, so that two texts are not taken for another two. */
    private void update(@Nullable String text) {
        byte[] bytes = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
        sha.update(
                ByteBuffer.allocate(4).putInt(text == null ? -1 : bytes.length).flip());
        sha.update(bytes);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }
}
