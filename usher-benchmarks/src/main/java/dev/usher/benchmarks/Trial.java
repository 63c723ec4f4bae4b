package dev.usher.benchmarks;

import dev.usher.UserProfile;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A contender on trial: one or two of its nodes, over one source. Each promise is tried on users of its own, so that none disturbs
 * another.
 */
final class Trial implements AutoCloseable {

    private static final int USERS = 100_000;

    private final Function<Site, Contender> opening;
    private final Site site;
    private final CountedSource source = new CountedSource(USERS);
    private final Map<Long, LongAdder> queries = new ConcurrentHashMap<>();
    private final AtomicLong known = new AtomicLong();
    private final AtomicLong unknown = new AtomicLong(USERS);
    private final Contender node;
    private @Nullable Contender otherNode;

    /**
     * Opens the first node.
     *
     * @param opening opens a node
     * @param redisUri a Redis in which the contender has nothing yet
     */
    Trial(Function<Site, Contender> opening, String redisUri) {
        this.opening = opening;
        site = new Site(redisUri, this::load, 10_000);
        node = open();
    }

    /** Opens a node, and has it ask once: whatever a JVM does at the first time is not what is on trial. */
    private Contender open() {
        Contender opened = opening.apply(site);
        opened.find(user());
        return opened;
    }

    private Map<Long, UserProfile> load(Set<Long> ids) throws IOException {
        ids.forEach(
                id -> queries.computeIfAbsent(id, unasked -> new LongAdder()).increment());
        return source.load(ids);
    }

    /** How many queries have asked for a user, perhaps among others. */
    long queries(Long id) {
        LongAdder asked = queries.get(id);
        return asked == null ? 0 : asked.sum();
    }

    /** What all nodes load from. */
    CountedSource source() {
        return source;
    }

    /** The node on which most is tried. */
    Contender node() {
        return node;
    }

    /** A second node, which is opened when it is first asked for. */
    Contender otherNode() {
        Contender other = otherNode;
        if (other == null) {
            other = open();
            otherNode = other;
        }
        return other;
    }

    /** A user who exists, and of whom nobody has heard yet. */
    Long user() {
        return known.incrementAndGet();
    }

    /** A user who does not exist, and of whom nobody has heard yet. */
    Long stranger() {
        return unknown.incrementAndGet();
    }

    /** Gives a user a row, and returns the row. */
    UserProfile change(Long id, String name) {
        UserProfile row = new UserProfile("", name, "", true, "", "");
        source.put(id, row);
        return row;
    }

    @Override
    public void close() {
        node.close();
        if (otherNode != null) {
            otherNode.close();
        }
    }
}
