package dev.usher.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserProfile;
import dev.usher.benchmarks.Contract.Violation;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A contender that does less than its work is found out, by the promise that it breaks. */
class ContractTest {

    private final Map<Long, Optional<UserProfile>> shared = new ConcurrentHashMap<>();

    @Test
    void aContenderThatDoesItsWorkKeepsAllPromises() {
        assertThat(broken(site -> new Honest(site, shared))).isEmpty();
    }

    @Test
    void aConstantAnswerIsFoundOut() {
        UserProfile constant = Users.profile(1);
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    public UserProfile find(Long id) {
                        return constant;
                    }
                }))
                .contains(Promise.FINDS, Promise.KNOWS_ABSENT_USERS, Promise.TELLS_CALLERS_APART);
    }

    @Test
    void textsWrittenInAsciiAreFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    void remember(Long id, @Nullable UserProfile row) {
                        super.remember(id, row == null ? null : ascii(row));
                    }
                }))
                .containsExactly(Promise.FINDS);
    }

    private static UserProfile ascii(UserProfile row) {
        String name = new String(row.name().getBytes(StandardCharsets.US_ASCII), StandardCharsets.US_ASCII);
        return new UserProfile(row.mobile(), name, row.photo(), row.isMedia(), row.intro(), row.certi());
    }

    @Test
    void aLostMediaFlagIsFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    @Nullable UserProfile load(Long id) {
                        UserProfile row = super.load(id);
                        return row == null
                                ? null
                                : new UserProfile(
                                        row.mobile(), row.name(), row.photo(), false, row.intro(), row.certi());
                    }
                }))
                .contains(Promise.FINDS);
    }

    @Test
    void aContenderThatCachesNothingIsFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    void remember(Long id, @Nullable UserProfile row) {}
                }))
                .containsExactly(Promise.REMEMBERS, Promise.TAKES_FILLS, Promise.FINDS_ALL, Promise.SHARES);
    }

    @Test
    void inventedUsersAreFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    public UserProfile find(Long id) {
                        UserProfile found = super.find(id);
                        return found == null ? new UserProfile("", "", "", false, "", "") : found;
                    }
                }))
                .containsExactly(Promise.KNOWS_ABSENT_USERS, Promise.FINDS_ALL);
    }

    @Test
    void ignoredFillsAreFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    public void fill(Long id, UserProfile row) {}
                }))
                .containsExactly(Promise.TAKES_FILLS);
    }

    @Test
    void aContenderThatAlwaysLoadsTheWholeListIsFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    public Map<Long, UserProfile> findAll(List<Long> ids) {
                        Map<Long, UserProfile> rows = new HashMap<>();
                        for (Long id : ids) {
                            UserProfile row = load(id);
                            if (row != null) {
                                rows.put(id, row);
                            }
                        }
                        return rows;
                    }
                }))
                .containsExactly(Promise.FINDS_ALL);
    }

    @Test
    void ignoredChangesAreFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    public void changed(Long id) {}
                }))
                .containsExactly(Promise.SEES_ITS_CHANGES);
    }

    @Test
    void aContenderThatSharesNothingIsFoundOut() {
        assertThat(broken(site -> new Honest(site, new ConcurrentHashMap<>()))).containsExactly(Promise.SHARES);
    }

    @Test
    void aFailureThatIsTakenForAnAbsentUserIsFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    @Nullable UserProfile load(Long id) {
                        try {
                            return super.load(id);
                        } catch (IllegalStateException e) {
                            return null;
                        }
                    }
                }))
                .containsExactly(Promise.ADMITS_FAILURES);
    }

    @Test
    void aFailureThatIsCachedAsAnAbsentUserIsFoundOut() {
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    @Nullable UserProfile load(Long id) {
                        try {
                            return super.load(id);
                        } catch (IllegalStateException e) {
                            remember(id, null);
                            throw e;
                        }
                    }
                }))
                .containsExactly(Promise.ADMITS_FAILURES);
    }

    @Test
    void oneAnswerForAllCallersIsFoundOut() {
        AtomicReference<@Nullable CompletableFuture<@Nullable UserProfile>> flight = new AtomicReference<>();
        assertThat(broken(site -> new Honest(site, shared) {
                    @Override
                    @Nullable UserProfile load(Long id) {
                        CompletableFuture<@Nullable UserProfile> mine = new CompletableFuture<>();
                        CompletableFuture<@Nullable UserProfile> others = flight.compareAndExchange(null, mine);
                        if (others != null) {
                            return others.join();
                        }
                        try {
                            mine.complete(super.load(id));
                        } catch (RuntimeException e) {
                            mine.completeExceptionally(e);
                        }
                        flight.set(null);
                        return mine.join();
                    }
                }))
                .contains(Promise.TELLS_CALLERS_APART);
    }

    private static List<Promise> broken(Function<Site, Contender> opening) {
        try (Trial trial = new Trial(opening, "redis://nobody.invalid")) {
            return Contract.violations(trial, List.of(Promise.values())).stream()
                    .map(Violation::promise)
                    .toList();
        }
    }

    /** A contender that keeps its promises, with a map in place of Redis. */
    private static class Honest implements Contender {

        private final ProfileLoader loader;
        private final Map<Long, Optional<UserProfile>> remembered;

        Honest(Site site, Map<Long, Optional<UserProfile>> remembered) {
            loader = new ProfileLoader(site.source());
            this.remembered = remembered;
        }

        @Nullable UserProfile load(Long id) {
            return loader.load(id);
        }

        void remember(Long id, @Nullable UserProfile row) {
            remembered.put(id, Optional.ofNullable(row));
        }

        @Override
        public @Nullable UserProfile find(Long id) {
            Optional<UserProfile> known = remembered.get(id);
            if (known != null) {
                return known.orElse(null);
            }
            UserProfile row = load(id);
            remember(id, row);
            return row;
        }

        @Override
        public void fill(Long id, UserProfile row) {
            remember(id, row);
        }

        @Override
        public void changed(Long id) {
            remembered.remove(id);
        }

        @Override
        public void close() {}
    }
}
