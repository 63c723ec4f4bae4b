package dev.usher;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;

/** A source of statuses in which every user is enabled that was neither banned nor deleted, and that counts its queries. Thread-safe. */
final class BannedUsers implements UserSource<Long, UserStatus> {

    private final Set<Long> banned = ConcurrentHashMap.newKeySet();
    private final Set<Long> deleted = ConcurrentHashMap.newKeySet();
    private final ConcurrentMap<Long, AtomicInteger> queries = new ConcurrentHashMap<>();

    void ban(Collection<Long> ids) {
        banned.addAll(ids);
    }

    void ban(long id) {
        ban(List.of(id));
    }

    void delete(long id) {
        deleted.add(id);
    }

    /** How many queries have asked for a user. */
    int queriesFor(long id) {
        AtomicInteger count = queries.get(id);
        return count == null ? 0 : count.get();
    }

    @Override
    public Map<Long, UserStatus> load(Set<Long> ids) {
        Map<Long, UserStatus> statuses = new HashMap<>();
        for (Long id : ids) {
            queries.computeIfAbsent(id, first -> new AtomicInteger()).incrementAndGet();
            if (!deleted.contains(id)) {
                statuses.put(id, banned.contains(id) ? UserStatus.DISABLED : UserStatus.ENABLED);
            }
        }
        return statuses;
    }
}
