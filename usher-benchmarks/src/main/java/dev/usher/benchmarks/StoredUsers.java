package dev.usher.benchmarks;

import java.util.EnumMap;
import java.util.Map;

/**
 * Users that a peer has stored in Redis already, for peers that would take minutes to load them one by one from the source. Not
 * thread-safe.
 */
final class StoredUsers implements AutoCloseable {

    private final int users;
    private final Topology redis;
    private final Map<Peer, Topology.Started> servers = new EnumMap<>(Peer.class);

    StoredUsers(int users, Topology redis) {
        this.users = users;
        this.redis = redis;
    }

    /**
     * The URI of the Redis in which a peer has stored the users from 1 to that number; empty for a peer that does not use
     * Redis, and for usher: usher loads a whole list at once, and would soon ask Redis again about entries that it has found
     * and not stored.
     */
    String uri(Peer peer) {
        return !peer.isShared() || peer.isUsher()
                ? ""
                : servers.computeIfAbsent(peer, this::store).uri();
    }

    private Topology.Started store(Peer peer) {
        Topology.Started started = redis.start();
        try (Contender contender = peer.open(new Site(started.uri(), new CountedSource(users), 1))) {
            Contenders.fill(contender, users);
        }
        return started;
    }

    @Override
    public void close() {
        servers.values().forEach(Topology.Started::close);
    }
}
