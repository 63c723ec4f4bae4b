package dev.usher.cli;

import dev.usher.CacheStats;
import dev.usher.UserCache;
import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import dev.usher.server.token.Access;

/** The caches of the demo's server, injected by Spring as in the server itself. */
record DemoCaches(
        UserCaches all,
        UserProfileCache<Long> profiles,
        UserStatusCache<Long> statuses,
        UserCache<Long, Access> accesses) {

    static DemoCaches of(RunningServer server) {
        return server.context().getAutowireCapableBeanFactory().createBean(DemoCaches.class);
    }

    void forget(long id) {
        profiles.forget(id);
    }

    Tally tally(StatementCounter statements) {
        CacheStats profile = profiles.stats();
        CacheStats status = statuses.stats();
        CacheStats access = accesses.stats();
        return new Tally(
                profile.nearHits() + status.nearHits() + access.nearHits(),
                profile.sharedHits() + status.sharedHits() + access.sharedHits(),
                profile.sourceAnswers() + status.sourceAnswers() + access.sourceAnswers(),
                statements.count());
    }
}
