package dev.usher.redis;

import dev.usher.redis.GuardProtocol.Offer;
import dev.usher.redis.Revocations.Acknowledged;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** A map with one primary, which has all keys and the register. */
final class OnePrimary implements SlotMap {

    private final RedisPrimary primary;
    private final List<RedisPrimary> all;
    private final AtomicLong losses = new AtomicLong();

    OnePrimary(RedisPrimary primary) {
        this.primary = primary;
        this.all = List.of(primary);
    }

    @Override
    public void open() {
        primary.open();
    }

    @Override
    public RedisPrimary primaryOf(String key) {
        return primary;
    }

    @Override
    public List<RedisPrimary> primaries() {
        return all;
    }

    @Override
    public RedisPrimary registered() {
        return primary;
    }

    @Override
    public List<RedisPrimary> all() {
        return all;
    }

    @Override
    public boolean isCluster() {
        return false;
    }

    @Override
    public @Nullable Session sessionOfReads(String key, boolean failsClosed) {
        return primary.sessionOfReads();
    }

    @Override
    public boolean isBelieved(String key, long boundNanos) {
        return primary.isBelieved(key, boundNanos);
    }

    @Override
    public CompletableFuture<?> sendFence(String key) {
        return primary.guards().sendFence(key);
    }

    @Override
    public ServerMoment momentAt(long nanoTime) {
        return primary.guards().momentAt(nanoTime);
    }

    @Override
    public CompletableFuture<Offer> offer(String key, byte[] value, Duration ttl, ServerMoment readAt) {
        return primary.guards().offer(key, value, ttl, readAt);
    }

    @Override
    public @Nullable Acknowledged acknowledged(List<String> keys, Duration atMost) {
        return null;
    }

    @Override
    public long losses() {
        return losses.get();
    }

    @Override
    public boolean hasLostSince(Collection<String> keys, long before) {
        return losses.get() != before;
    }

    @Override
    public boolean hasMovedSince(String key, long before) {
        return false;
    }

    @Override
    public void lost(RedisPrimary lost) {
        losses.incrementAndGet();
    }

    @Override
    public void close() {
        primary.close();
    }
}
