package dev.usher.redis;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The replication of a server: by its history, a primary is told apart from one that has been promoted in its place, or has been started anew.
 *
 * @param history the name of the history that the server writes now ({@code master_replid})
 * @param isPrimary whether it is no replica itself
 * @param offset how far its history goes: each write makes it greater
 * @param replicas how many are connected
 * @param offsets up to which offset each replica that is connected and follows has acknowledged; without those whose address cannot be read
 * @param isAlone whether none is, nor has been for long: the server has no backlog for a replica that would come back
 */
record Replication(
        String history,
        boolean isPrimary,
        long offset,
        int replicas,
        Map<ServerAddress, Long> offsets,
        boolean isAlone) {

    /** Of a server that does not say: it has one history, as far as can be known. */
    static final Replication UNKNOWN = new Replication("unknown", false, 0, 0, Map.of(), false);

    private static final Pattern HISTORY = Pattern.compile("^master_replid:(\\w{1,64})", Pattern.MULTILINE);
    private static final Pattern ROLE = Pattern.compile("^role:(\\w{1,20})", Pattern.MULTILINE);
    private static final Pattern OFFSET = Pattern.compile("^master_repl_offset:(\\d{1,18})", Pattern.MULTILINE);
    private static final Pattern REPLICAS = Pattern.compile("^connected_slaves:(\\d{1,6})", Pattern.MULTILINE);
    private static final Pattern REPLICA = Pattern.compile(
            "^slave\\d+:ip=([^,\\s]+),port=(\\d{1,5}),state=online,offset=(\\d{1,18})", Pattern.MULTILINE);
    private static final Pattern NO_BACKLOG = Pattern.compile("^repl_backlog_active:0", Pattern.MULTILINE);

    /** Parses the section {@code replication} of {@code INFO}; others may stand beside it. */
    static Replication parse(String info) {
        String history = firstOf(HISTORY, info);
        if (history == null) {
            return UNKNOWN;
        }
        String offset = firstOf(OFFSET, info);
        String replicas = firstOf(REPLICAS, info);
        int connected = replicas == null ? 0 : Integer.parseInt(replicas);
        return new Replication(
                history,
                "master".equals(firstOf(ROLE, info)),
                offset == null ? 0 : Long.parseLong(offset),
                connected,
                offsetsIn(info),
                connected == 0 && NO_BACKLOG.matcher(info).find());
    }

    /**
     * Why another server could take the place of this one while nodes go on believing it, where no Sentinels name it: in words, or {@code null} when there is
     * none that could.
     */
    @Nullable String unfenced() {
        if (isAlone) {
            return null;
        }
        String which;
        if (equals(UNKNOWN)) {
            which = "it does not say whether it has replicas, and there are no Sentinels: one of them could take";
        } else if (replicas > 0) {
            which = "replicas and no Sentinels: one of them could take";
        } else {
            which = "replicas that are gone, and no Sentinels: one of them could have taken";
        }
        return which + " the place of this server while nodes go on believing it, for how long cannot be known";
    }

    private static Map<ServerAddress, Long> offsetsIn(String info) {
        Map<ServerAddress, Long> offsets = new HashMap<>();
        Matcher replica = REPLICA.matcher(info);
        while (replica.find()) {
            try {
                ServerAddress address = new ServerAddress(replica.group(1), Integer.parseInt(replica.group(2)));
                // Of two at one address, as behind one that translates addresses, the one that lags.
                offsets.merge(address, Long.parseLong(replica.group(3)), Math::min);
            } catch (IllegalArgumentException e) {
                // It has acknowledged nothing that counts.
            }
        }
        return Map.copyOf(offsets);
    }

    /** How many replicas have acknowledged an offset. */
    int acknowledged(long offset) {
        return (int) offsets.values().stream().filter(each -> each >= offset).count();
    }

    /** Whether a replica that follows has not acknowledged an offset. */
    boolean isBehind(long offset) {
        return acknowledged(offset) < offsets.size();
    }

    private static @Nullable String firstOf(Pattern field, String info) {
        Matcher found = field.matcher(info);
        return found.find() ? found.group(1) : null;
    }
}
