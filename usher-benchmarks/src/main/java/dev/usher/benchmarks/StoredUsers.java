package dev.usher.benchmarks;

import dev.usher.testkit.RedisServer;
import java.util.EnumMap;
import java.util.Map;

/**
 * Users that a peer has stored in Redis already, for peers that would take minutes to load them one by one from the source. Not
 * thread-safe.
 */
final class StoredUsers implements AutoCloseable {

    private final int users;
    private final Map<Peer, RedisServer> servers = new EnumMap<>(Peer.class);

    StoredUsers(int users) {
        this.users = users;
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

    private RedisServer store(Peer peer) {
        RedisServer redis = RedisServer.start();
        try (Contender contender = peer.open(new Site(redis.uri(), new CountedSource(users), 1))) {
            Contenders.fill(contender, users);
        }
        return redis;
    }

    @Override
    public void close() {
        servers.values().forEach(RedisServer::close);
    }
}
