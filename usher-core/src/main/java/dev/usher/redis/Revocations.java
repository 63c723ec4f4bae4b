package dev.usher.redis;

import static dev.usher.redis.RegisterScripts.bytes;
import static dev.usher.redis.RegisterScripts.text;

import io.lettuce.core.KeyValue;
import io.lettuce.core.Range;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The revocations in the register of nodes: each gets a number, and is followed until every node has seen it. Thread-safe. */
public final class Revocations {

    /** How many users have one number. */
    private static final int MAX_OF_A_NUMBER = 256;

    private static final Pattern LIMIT = Pattern.compile("([^=, ]+)=(\\d{1,15})");
    private static final Pattern ENDED = Pattern.compile("(\\d{1,15})-(\\d{1,15}):(\\d{1,9})");

    private final RegisterScripts keys;
    private final String homeField;
    private final RedisLink scripts;
    private final NodeRegister.Server server;
    private final NodeRegister node;
    private final SilentNodes silentNodes;

    /** The names of the nodes, as long as no entry has come or gone. */
    private volatile Names names = new Names("", -1, Set.of());

    private record Names(String register, long version, Set<String> nodes) {}

    /**
     * A revocation that the nodes are to see.
     *
     * @param register in which it is
     * @param first the first of its numbers
     * @param last the last one
     * @param changes how many changes of entries there had been
     * @param at when it had certainly been made, in {@link System#nanoTime()}
     * @param acknowledged what the replicas of the server have acknowledged
     */
    public record Numbered(String register, long first, long last, long changes, long at, Acknowledged acknowledged) {

        /**
         * The same, of users whose fences are on other primaries than the register.
         *
         * @param fences what the replicas of those have acknowledged, or {@code null} where there is no other primary
         */
        public Numbered and(@Nullable Acknowledged fences) {
            return fences == null ? this : new Numbered(register, first, last, changes, at, fences.and(acknowledged));
        }
    }

    /**
     * Whether a revocation outlives the primary that has taken it.
     *
     * @param replicas how many have acknowledged it
     * @param isReplicated whether all have that were asked for, or that could take the place of the primary
     * @param missing what is missing to know that every server has it that could take the place of the primary, in words; or {@code null} when
     *     nothing is
     */
    public record Acknowledged(
            int replicas, boolean isReplicated, @Nullable String missing) {

        /** Of the writes of two primaries. */
        Acknowledged and(Acknowledged other) {
            String all =
                    missing == null ? other.missing : other.missing == null ? missing : missing + "; " + other.missing;
            return new Acknowledged(Math.min(replicas, other.replicas), isReplicated && other.isReplicated, all);
        }
    }

    /**
     * How far a revocation has come.
     *
     * @param isSeenByAll whether every entry has its number, in the register in which it was made
     * @param isComplete whether every node that could answer is in that register
     */
    public record Progress(boolean isSeenByAll, boolean isComplete) {}

    /**
     * Of one register.
     *
     * @param homeField the mark of this node's home beside the register
     * @param scripts over which it is read
     * @param node this node's part in it
     */
    Revocations(
            RegisterScripts keys,
            String homeField,
            RedisLink scripts,
            NodeRegister.Server server,
            NodeRegister node,
            SilentNodes silentNodes) {
        this.keys = keys;
        this.homeField = homeField;
        this.scripts = scripts;
        this.server = server;
        this.node = node;
        this.silentNodes = silentNodes;
    }

    /**
     * Gives users that were revoked a number, for each 256 of them, which comes after every fence that has been confirmed; and changes the signal.
     *
     * <p>Where the server has replicas, they are waited for, as long as for an answer: since a server sends them its writes in their order, one that has this
     * revocation has the fences before it, too.
     *
     * @param users their {@linkplain KeySpace#keyOf keys}
     * @return {@code null} when the register has another format
     */
    public @Nullable Numbered revoke(List<String> users, Duration atMost) throws SharedTierException {
        if (server.history() == null) {
            var unused = scripts.await(server.askHistory().toCompletableFuture(), atMost);
        }
        String history = server.history();
        if (history == null) {
            // Without it, the script would take the register for that of another server.
            throw scripts.failed(scripts.notConnected());
        }
        int groups = (users.size() + MAX_OF_A_NUMBER - 1) / MAX_OF_A_NUMBER;
        byte[][] arguments = new byte[2 + groups][];
        arguments[0] = bytes(UUID.randomUUID().toString());
        arguments[1] = bytes(history);
        for (int group = 0; group < groups; group++) {
            List<String> part =
                    users.subList(group * MAX_OF_A_NUMBER, Math.min(users.size(), (group + 1) * MAX_OF_A_NUMBER));
            ByteBuffer hashes = ByteBuffer.allocate(part.size() * Long.BYTES);
            part.forEach(user -> hashes.putLong(RevokedKeys.hashOf(user)));
            arguments[2 + group] = hashes.array();
        }
        Acknowledgements acknowledgements = server.acknowledgements();
        RedisLink link = acknowledgements.ofRevocations();
        RedisAsyncCommands<String, byte[]> redis = link.commandsToWaitFor();
        List<?> answer = link.await(keys.run(redis, RegisterScripts.REVOKE, arguments), atMost);
        if (!text(answer.get(0)).equals("ok")) {
            return null;
        }
        long at = System.nanoTime();
        long last = (Long) answer.get(2);
        return new Numbered(
                text(answer.get(1)),
                last - groups + 1,
                last,
                (Long) answer.get(3),
                at,
                acknowledgements.await(link, redis, history, atMost));
    }

    /** How far a revocation has come. */
    public Progress progressOf(Numbered revocation, Duration limit, Duration atMost) throws SharedTierException {
        List<?> answer = scripts.await(
                keys.run(
                        scripts.commandsToWaitFor(),
                        RegisterScripts.UNSEEN,
                        bytes(revocation.register),
                        bytes(revocation.last),
                        bytes(homeField)),
                atMost);
        boolean isSeen = (Long) answer.get(0) == 0;
        boolean isShared = (Long) answer.get(3) == 1;
        noteVersion(revocation.register, (Long) answer.get(1));
        return new Progress(isSeen, !isShared && node.hasKnown(revocation.register, text(answer.get(2)), limit));
    }

    /** The names are read again only when an entry has come or gone. */
    private void noteVersion(String register, long version) {
        Names before = names;
        if (!before.register.equals(register) || before.version != version) {
            names = new Names(register, version, Set.of());
        }
    }

    /** The nodes of the register. */
    public Set<String> nodes(Duration atMost) throws SharedTierException {
        Names before = names;
        if (!before.nodes.isEmpty()) {
            return before.nodes;
        }
        List<byte[]> all = scripts.await(
                scripts.commandsToWaitFor().zrange(keys.bySeen(), 0, -1).toCompletableFuture(), atMost);
        Set<String> nodes = namesIn(all);
        names = new Names(before.register, before.version, Set.copyOf(nodes));
        return nodes;
    }

    private static Set<String> namesIn(List<byte[]> members) {
        return members.stream()
                .map(RegisterScripts::text)
                .filter(name -> !name.startsWith("#"))
                .collect(Collectors.toCollection(HashSet::new));
    }

    /**
     * The nodes that have not seen a revocation, and for how long each may answer without heartbeats, in a facet. Those that have been silent since, and must
     * have closed by now, are taken out of the register.
     *
     * @param otherwise the limit of a node that does not say
     */
    public Map<String, Duration> waitedOut(Numbered revocation, String facet, Duration otherwise, Duration atMost)
            throws SharedTierException {
        RedisAsyncCommands<String, byte[]> redis = scripts.commandsToWaitFor();
        List<String> silent = List.copyOf(silent(revocation, atMost));
        Map<String, Duration> limitsOf = new HashMap<>();
        if (!silent.isEmpty()) {
            String[] theirs = silent.stream().map(keys::ownOf).toArray(String[]::new);
            List<KeyValue<String, byte[]>> said =
                    scripts.await(redis.mget(theirs).toCompletableFuture(), atMost);
            for (int i = 0; i < theirs.length; i++) {
                limitsOf.put(silent.get(i), limitIn(text(said.get(i).getValueOrElse(null)), facet, otherwise));
            }
            silentNodes.expel(revocation.register, revocation.changes, revocation.at);
        }
        return limitsOf;
    }

    /** The nodes that have not seen a revocation. */
    public Set<String> silent(Numbered revocation, Duration atMost) throws SharedTierException {
        return namesIn(scripts.await(
                scripts.commandsToWaitFor()
                        .zrangebyscore(
                                keys.bySeen(),
                                Range.from(Range.Boundary.unbounded(), Range.Boundary.excluding(revocation.last)))
                        .toCompletableFuture(),
                atMost));
    }

    private static Duration limitIn(String said, String facet, Duration otherwise) {
        for (String part : said.split("[ ,]", -1)) {
            Matcher limit = LIMIT.matcher(part);
            if (limit.matches() && limit.group(1).equals(facet)) {
                return Duration.ofMillis(Long.parseLong(limit.group(2)));
            }
        }
        return otherwise;
    }

    /** How many open things each node has ended for a revocation, by node; without those that have ended none. */
    public Map<String, Integer> ended(Numbered revocation, Duration atMost) throws SharedTierException {
        Map<String, byte[]> all =
                scripts.await(scripts.commandsToWaitFor().hgetall(keys.ended()).toCompletableFuture(), atMost);
        Map<String, Integer> counts = new HashMap<>();
        all.forEach((name, said) -> {
            int sum = 0;
            for (String part : text(said).split(",", -1)) {
                Matcher one = ENDED.matcher(part);
                if (one.matches()
                        && Long.parseLong(one.group(1)) <= revocation.last
                        && Long.parseLong(one.group(2)) >= revocation.first) {
                    sum += Integer.parseInt(one.group(3));
                }
            }
            if (sum > 0) {
                counts.put(name, sum);
            }
        });
        return counts;
    }
}
