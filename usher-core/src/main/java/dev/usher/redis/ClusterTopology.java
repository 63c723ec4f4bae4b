package dev.usher.redis;

import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The servers of a Cluster, and which of them has which slots.
 *
 * @param nodes by id
 */
record ClusterTopology(Map<String, Node> nodes) {

    static final int SLOTS = 16384;

    /** Of nothing that is known. */
    static final ClusterTopology NONE = new ClusterTopology(Map.of());

    private static final String NO_PRIMARY = "-";

    /**
     * A server.
     *
     * @param address by which it is reached: by name, where it announces one
     * @param byIp the same by its IP address, where that is known
     * @param primary the id of its primary, or {@code null} for one that is none's replica
     * @param epoch of two servers that claim a slot, the one with the greater epoch has it
     * @param slots that it claims, never changed
     * @param isOwn whether it says this of itself
     * @param isFailing whether most primaries say that it is down
     */
    record Node(
            String id,
            ServerAddress address,
            ServerAddress byIp,
            @Nullable String primary,
            long epoch,
            BitSet slots,
            boolean isOwn,
            boolean isFailing) {

        /** Whether it has an address, of whichever kind. */
        boolean isAt(ServerAddress other) {
            return address.equals(other) || byIp.equals(other);
        }

        /** Whether this is a later account of the same server than another. */
        private boolean isLaterThan(Node other) {
            return epoch == other.epoch ? isOwn && !other.isOwn : epoch > other.epoch;
        }
    }

    /**
     * Parses what a server answers to {@code CLUSTER NODES}.
     *
     * @param asked the address of that server, which may not know its own
     */
    static ClusterTopology parse(String answer, ServerAddress asked) {
        Map<String, Node> nodes = new HashMap<>();
        for (String line : answer.split("\n", -1)) {
            // id, address, flags, primary, ping, pong, epoch, link, slots
            String[] words = line.strip().split(" ", -1);
            List<String> flags = words.length < 8 ? List.of("noaddr") : List.of(words[2].split(",", -1));
            boolean isKnown = !flags.contains("noaddr") && !flags.contains("handshake");
            ServerAddress otherwise = flags.contains("myself") ? asked : null;
            ServerAddress address = isKnown ? addressIn(words[1], true, otherwise) : null;
            ServerAddress byIp = isKnown ? addressIn(words[1], false, address) : null;
            if (address != null && byIp != null) {
                String primary = words[3].equals(NO_PRIMARY) ? null : words[3];
                nodes.put(
                        words[0],
                        new Node(
                                words[0],
                                address,
                                byIp,
                                primary,
                                numberIn(words[6]),
                                primary == null ? slotsIn(words) : new BitSet(),
                                flags.contains("myself"),
                                flags.contains("fail")));
            }
        }
        return new ClusterTopology(Map.copyOf(nodes));
    }

    /** The address in {@code host:port@bus,name}, of which the name wins, if it is asked for; or another one, where there is none. */
    private static @Nullable ServerAddress addressIn(String word, boolean isByName, @Nullable ServerAddress otherwise) {
        String[] parts = word.split(",", -1);
        String address = parts[0].split("@", 2)[0];
        int colon = address.lastIndexOf(':');
        String name = isByName && parts.length > 1 && !parts[1].contains("=") ? parts[1] : "";
        String host = name.isEmpty() ? address.substring(0, Math.max(0, colon)) : name;
        try {
            return host.isEmpty() ? otherwise : new ServerAddress(host, Integer.parseInt(address.substring(colon + 1)));
        } catch (IllegalArgumentException e) {
            return otherwise;
        }
    }

    private static long numberIn(String word) {
        return word.matches("\\d{1,18}") ? Long.parseLong(word) : 0;
    }

    private static BitSet slotsIn(String[] words) {
        BitSet slots = new BitSet(SLOTS);
        for (int i = 8; i < words.length; i++) {
            // Slots that are being moved are in brackets.
            if (words[i].matches("\\d{1,5}(-\\d{1,5})?")) {
                String[] ends = words[i].split("-", 2);
                int first = Integer.parseInt(ends[0]);
                slots.set(first, Math.min(SLOTS, Integer.parseInt(ends[ends.length - 1]) + 1));
            }
        }
        return slots;
    }

    /** What several servers say together: of each server the account with the greatest epoch, and its own one rather than another's. */
    static ClusterTopology of(Collection<ClusterTopology> said) {
        Map<String, Node> latest = new HashMap<>();
        said.forEach(one ->
                one.nodes.values().forEach(node -> latest.merge(node.id(), node, (a, b) -> b.isLaterThan(a) ? b : a)));
        return new ClusterTopology(Map.copyOf(latest));
    }

    /** The server that has each slot, or {@code null} where none has it. */
    @Nullable Node[] owners() {
        @Nullable Node[] owners = new Node[SLOTS];
        for (Node node : nodes.values()) {
            node.slots.stream().forEach(slot -> {
                Node other = owners[slot];
                if (other == null || node.epoch > other.epoch) {
                    owners[slot] = node;
                }
            });
        }
        return owners;
    }

    /** The primaries: those that have slots, and those that may get some. */
    Set<Node> primaries() {
        Set<Node> primaries = new HashSet<>();
        for (Node node : nodes.values()) {
            if (node.primary == null && !node.isFailing) {
                primaries.add(node);
            }
        }
        for (Node owner : owners()) {
            if (owner != null) {
                primaries.add(owner);
            }
        }
        return primaries;
    }

    /** The server that has said this, or {@code null} when it has not named itself. */
    @Nullable Node own() {
        return nodes.values().stream().filter(Node::isOwn).findFirst().orElse(null);
    }

    /** Whether it was said by a server that has slots. */
    boolean isOfPrimary() {
        Node own = own();
        return own != null && !own.slots.isEmpty();
    }

    /** Whether a server is a primary with slots, as far as is said here. */
    boolean isPrimary(String id) {
        Node node = nodes.get(id);
        return node != null && node.primary == null && !node.slots.isEmpty();
    }

    /** The addresses of the replicas of a server: those by which they are reached, by those with their IP addresses. */
    Map<ServerAddress, ServerAddress> replicasOf(String id) {
        Map<ServerAddress, ServerAddress> replicas = new HashMap<>();
        nodes.values().forEach(node -> {
            if (id.equals(node.primary)) {
                replicas.put(node.byIp, node.address);
            }
        });
        return replicas;
    }
}
