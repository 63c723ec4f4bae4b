package dev.usher.spring;

import dev.usher.Lookup;
import dev.usher.RevokedUsers;
import dev.usher.UserStatus;
import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContext;
import org.springframework.security.web.context.HttpSessionSecurityContextRepository;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.Session;
import org.springframework.session.SessionRepository;

/**
 * The sessions of Spring Session, in a store that all nodes share. The node that revokes a user deletes them: only it knows the id,
 * and the others could not list the sessions. So they are deleted before this node confirms; when no listener is called, because Redis
 * did not take the revocation, before the caller gets its receipt.
 *
 * @param <K> the type of a user's id
 */
final class SpringSessions<K> implements RevokedIds<K> {

    private static final Logger log = LoggerFactory.getLogger(SpringSessions.class);

    private static final int MAX_TOGETHER = 500;

    private final Supplier<@Nullable FindByIndexNameSessionRepository<? extends Session>> repository;
    private final Supplier<UserStatusCache<K>> statuses;
    private final CurrentUserId<K> ids;
    private final PrincipalNames<K> names;
    private final EndingThreads threads;

    /** Those that this node is revoking, and whose sessions it has not begun to delete. */
    private final Set<Announced> announced = ConcurrentHashMap.newKeySet();

    /**
     * The sessions.
     *
     * @param repository none, if there is no repository that finds sessions by the name of a principal
     * @param names of the principals of a user
     */
    SpringSessions(
            Supplier<@Nullable FindByIndexNameSessionRepository<? extends Session>> repository,
            Supplier<UserStatusCache<K>> statuses,
            CurrentUserId<K> ids,
            PrincipalNames<K> names,
            EndingThreads threads) {
        this.repository = repository;
        this.statuses = statuses;
        this.ids = ids;
        this.names = names;
        this.threads = threads;
    }

    /** Says that sessions are not deleted. */
    static void warnOf(SessionRepository<?> repository) {
        log.warn(
                "The sessions of revoked users are not ended: the repository of Spring Session, {}, does not find sessions by the"
                        + " name of their user",
                repository.getClass().getName());
    }

    @Override
    public Runnable revoking(Collection<? extends K> revoked) {
        Announced announcement = new Announced(revoked);
        announced.add(announcement);
        return () -> {
            announced.remove(announcement);
            delete(announcement.take(id -> true));
        };
    }

    /** Deletes the sessions of the users that this node is revoking. */
    int revoked(RevokedUsers users) {
        String facet = statuses.get().cache().facet().name();
        List<K> named = announced.stream()
                .flatMap(each -> each.take(id -> users.contains(facet, id)).stream())
                .toList();
        return delete(named);
    }

    /** Deletes the sessions of those that are not enabled, and waits for a while. */
    private int delete(List<K> users) {
        FindByIndexNameSessionRepository<? extends Session> sessions = users.isEmpty() ? null : repository.get();
        if (sessions == null) {
            return 0;
        }
        AtomicInteger deleted = new AtomicInteger();
        long deadline = System.nanoTime() + threads.patience().toNanos();
        CompletableFuture<Void> all = threads.run(() -> {
            for (int from = 0; from < users.size(); from += MAX_TOGETHER) {
                List<K> together = users.subList(from, Math.min(from + MAX_TOGETHER, users.size()));
                Map<K, Lookup<UserStatus>> found = lookUp(together);
                together.stream()
                        .filter(id -> !isEnabled(found.get(id)))
                        .forEach(id -> threads.attempt(() -> delete(id, sessions, deleted)));
            }
        });
        EndingThreads.await(List.of(all), deadline);
        return deleted.get();
    }

    private Map<K, Lookup<UserStatus>> lookUp(Collection<K> users) {
        try {
            return statuses.get().cache().lookUpAll(users);
        } catch (UserUnavailableException e) {
            return Map.of();
        }
    }

    /** A user whose status is unavailable is not taken for enabled: the session is lost, and no right. */
    private static boolean isEnabled(@Nullable Lookup<UserStatus> status) {
        return status != null
                && !status.isUnavailable()
                && status.value().orElse(UserStatus.DISABLED) == UserStatus.ENABLED;
    }

    private <S extends Session> void delete(K id, FindByIndexNameSessionRepository<S> sessions, AtomicInteger deleted) {
        for (String name : names.of(id)) {
            sessions.findByPrincipalName(name).forEach((sessionId, session) -> {
                if (isOf(id, session)) {
                    sessions.deleteById(sessionId);
                    deleted.incrementAndGet();
                }
            });
        }
    }

    /** A name may also be that of another principal, where names are not ids. */
    private boolean isOf(K id, Session session) {
        Object context = session.getAttribute(HttpSessionSecurityContextRepository.SPRING_SECURITY_CONTEXT_KEY);
        Authentication authentication =
                context instanceof SecurityContext security ? security.getAuthentication() : null;
        return authentication != null
                && ids.of(authentication).filter(id::equals).isPresent();
    }

    /** The users of one call that revokes. */
    private final class Announced {

        private final Set<K> left = ConcurrentHashMap.newKeySet();

        Announced(Collection<? extends K> users) {
            left.addAll(users);
        }

        /** Takes some away, for the caller to end: each is taken once. */
        List<K> take(Predicate<K> which) {
            List<K> taken = left.stream().filter(which).toList();
            return taken.stream().filter(left::remove).toList();
        }
    }
}
