package dev.usher.testkit;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * What one server of a Cluster knows of all of them.
 *
 * @param nodes by id
 */
record ClusterView(Map<String, Node> nodes) {

    /**
     * A server, as another one sees it, or itself.
     *
     * @param primary the id of its primary, or {@code -} when it is one
     * @param slots ranges such as {@code 0-5460}
     */
    record Node(String id, String primary, List<String> slots, boolean isJoining) {

        boolean isPrimary() {
            return primary.equals("-");
        }

        boolean has(int slot) {
            return slots.stream().anyMatch(range -> first(range) <= slot && slot <= last(range));
        }

        IntStream allSlots() {
            return slots.stream().flatMapToInt(range -> IntStream.rangeClosed(first(range), last(range)));
        }

        private static int first(String range) {
            return Integer.parseInt(range.split("-", 2)[0]);
        }

        private static int last(String range) {
            return Integer.parseInt(range.substring(range.indexOf('-') + 1));
        }

        /** What all servers are to agree on. */
        private String standing() {
            return primary + " " + slots;
        }
    }

    /** Parses the answer to {@code CLUSTER NODES}. */
    static ClusterView parse(String answer) {
        Map<String, Node> nodes = new TreeMap<>();
        for (String line : answer.lines().toList()) {
            // id, address, flags, primary, ping, pong, epoch, link, slots
            String[] words = line.split(" ", -1);
            if (words.length < 8) {
                throw new IllegalArgumentException("not a line of CLUSTER NODES: " + line);
            }
            List<String> slots = new ArrayList<>();
            for (int i = 8; i < words.length; i++) {
                // Slots that are being moved are in brackets.
                if (!words[i].startsWith("[")) {
                    slots.add(words[i]);
                }
            }
            List<String> flags = List.of(words[2].split(",", -1));
            nodes.put(
                    words[0],
                    new Node(
                            words[0],
                            words[3],
                            List.copyOf(slots),
                            flags.contains("handshake") || flags.contains("noaddr")));
        }
        return new ClusterView(nodes);
    }

    /** Whether another server knows the same servers, with the same roles and slots. */
    boolean agreesWith(ClusterView other) {
        return standings().equals(other.standings());
    }

    private Map<String, String> standings() {
        Map<String, String> standings = new TreeMap<>();
        nodes.forEach((id, node) -> standings.put(id, node.standing()));
        return standings;
    }

    /** Whether a server is still being introduced to the others. */
    boolean isJoining() {
        return nodes.values().stream().anyMatch(Node::isJoining);
    }

    /** The servers that have slots, by their first one. */
    List<Node> primaries() {
        return nodes.values().stream()
                .filter(node -> !node.slots().isEmpty())
                .sorted(Comparator.comparingInt(node -> Node.first(node.slots().get(0))))
                .toList();
    }

    /** The server that has a slot. */
    Optional<Node> ownerOf(int slot) {
        return nodes.values().stream().filter(node -> node.has(slot)).findFirst();
    }
}
