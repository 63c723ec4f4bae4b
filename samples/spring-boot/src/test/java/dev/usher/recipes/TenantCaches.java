package dev.usher.recipes;

import dev.usher.UserCaches;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** The caches of each tenant. Tenants share a Redis and the connections to it, but no keys. */
final class TenantCaches implements AutoCloseable {

    private final UserCaches home;
    private final ConcurrentMap<String, UserCaches> tenants = new ConcurrentHashMap<>();

    TenantCaches(String redis) {
        this.home = UserCaches.builder().redis(redis).build();
    }

    /** The caches of one tenant: a name from the application's own list of tenants, never from a request. */
    UserCaches of(String tenant) {
        return tenants.computeIfAbsent(tenant, name -> home.withPrefix("user-" + name));
    }

    @Override
    public void close() {
        home.close();
    }
}
