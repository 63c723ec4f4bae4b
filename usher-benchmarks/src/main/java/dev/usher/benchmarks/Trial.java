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
 * A contender on trial: one or two of its nodes, over one source. Each promise is tried on its own users, so that promises do
 * not disturb each other.
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

    /** Opens a node and makes one call: the one-time work of a JVM is not on trial. */
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

    /** The source of all nodes. */
    CountedSource source() {
        return source;
    }

    /** The first node, on which most promises are tried. */
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

    /** A new user that exists. */
    Long user() {
        return known.incrementAndGet();
    }

    /** A new id of a user that does not exist. */
    Long absentUser() {
        return unknown.incrementAndGet();
    }

    /** Stores a row for a user, and returns the row. */
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
