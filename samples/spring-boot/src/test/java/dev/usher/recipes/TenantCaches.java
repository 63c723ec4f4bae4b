package dev.usher.recipes;

import dev.usher.UserCaches;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** The caches of each tenant. Tenants share a Redis, but no keys. */
final class TenantCaches implements AutoCloseable {

    private final String redis;
    private final ConcurrentMap<String, UserCaches> tenants = new ConcurrentHashMap<>();

    TenantCaches(String redis) {
        this.redis = redis;
    }

    /** The caches of one tenant: a name from the application's own list of tenants, never from a request. */
    UserCaches of(String tenant) {
        return tenants.computeIfAbsent(
                tenant,
                name -> UserCaches.builder()
                        .redis(redis)
                        .keyPrefix("user-" + name)
                        .build());
    }

    @Override
    public void close() {
        tenants.values().forEach(UserCaches::close);
    }
}
