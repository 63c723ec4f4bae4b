package dev.usher.testkit;

import java.util.ArrayList;
import java.util.List;

/** A slot of a {@link RedisCluster} that is being moved key by key. Each step waits for its servers. Not thread-safe. */
public final class SlotMove {
    private static final String MAX_TOGETHER = "100";
    private static final String LIMIT_MILLIS = "10000";

    private final RedisCluster cluster;
    private final int slot;
    private final RedisServer from;
    private final RedisServer to;

    SlotMove(RedisCluster cluster, int slot, RedisServer from, RedisServer to) {
        this.cluster = cluster;
        this.slot = slot;
        this.from = from;
        this.to = to;
    }

    /** The slot. */
    public int slot() {
        return slot;
    }

    /** The primary that had the slot before. */
    public RedisServer from() {
        return from;
    }

    /** The primary that gets the slot. */
    public RedisServer to() {
        return to;
    }

    /**
     * Moves keys that are still where they were.
     *
     * @throws IllegalStateException if a key is at both servers
     */
    public void moveKeys(String... keys) {
        List<String> words = new ArrayList<>(
                List.of("MIGRATE", to.host(), Integer.toString(cluster.portOf(to)), "", "0", LIMIT_MILLIS));
        if (!cluster.password().isEmpty()) {
            words.addAll(List.of("AUTH", cluster.password()));
        }
        words.add("KEYS");
        words.addAll(List.of(keys));
        List<String> answer = cluster.ask(from, words.toArray(String[]::new));
        // A key may expire before it is its turn.
        if (!answer.equals(List.of("OK")) && !answer.equals(List.of("NOKEY"))) {
            throw cluster.failure("keys of the slot " + slot + " cannot be moved: " + answer);
        }
    }

    /** Moves all keys that are still where they were. */
    public void moveKeys() {
        for (List<String> keys = keys(); !keys.isEmpty(); keys = keys()) {
            moveKeys(keys.toArray(String[]::new));
        }
    }

    private List<String> keys() {
        return cluster.ask(from, "CLUSTER", "GETKEYSINSLOT", Integer.toString(slot), MAX_TOGETHER);
    }

    /** Ends the move: the slot is its new primary's. Returns when all servers know it. */
    public void end() {
        String text = Integer.toString(slot);
        String id = cluster.idOf(to);
        // Its target first: between the two, each of them would send callers to the other.
        cluster.require(to, "CLUSTER", "SETSLOT", text, "NODE", id);
        // It may know already; and without another slot, it is a replica of the target by then.
        cluster.ask(from, "CLUSTER", "SETSLOT", text, "NODE", id);
        cluster.awaitOwner(slot, to);
    }
}
