package dev.usher.benchmarks;

import static dev.usher.benchmarks.BrokenPromiseException.unless;

import dev.usher.UserProfile;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** One thing that every contender must do, and the check of it. */
enum Promise {
    FINDS("finds what the source has, as it is there") {
        @Override
        void check(Trial trial) {
            Long id = trial.user();
            UserProfile row = new UserProfile(
                    "13800000000", "\u5b89 \"Ann\" \ud83d\ude42", "", true, "\u00fcber\n\\u0000 \u2028", "");
            trial.source().put(id, row);
            unless(row.equals(trial.node().find(id)), "the loaded profile differs from the source");
            unless(row.equals(trial.node().find(id)), "the cached profile differs from the source");
            unless(
                    Map.of(id, row).equals(trial.node().findAll(List.of(id))),
                    "the profile in a list differs from the source");
        }
    },

    REMEMBERS("asks the source once") {
        @Override
        void check(Trial trial) {
            Long id = trial.user();
            trial.node().find(id);
            trial.node().find(id);
            asked(trial, id, 1);
        }
    },

    KNOWS_ABSENT_USERS("finds no user where there is none") {
        @Override
        void check(Trial trial) {
            Long id = trial.absentUser();
            unless(trial.node().find(id) == null, "a user that does not exist was found");
            unless(trial.node().find(id) == null, "a user that does not exist was found the second time");
        }
    },

    TAKES_FILLS("does not ask the source for a user that has just logged in") {
        @Override
        void check(Trial trial) {
            Long id = trial.user();
            UserProfile row = Users.profile(id);
            trial.node().beforeRead().fill(id, row);
            unless(row.equals(trial.node().find(id)), "the filled profile was not found");
            asked(trial, id, 0);
        }
    },

    FINDS_ALL("finds the users of a list that exist, and asks the source only for those that are not cached") {
        @Override
        void check(Trial trial) {
            Long warm = trial.user();
            Long cold = trial.user();
            Long absent = trial.absentUser();
            trial.node().find(warm);
            Map<Long, UserProfile> all = Map.of(warm, Users.profile(warm), cold, Users.profile(cold));
            List<Long> ids = List.of(absent, cold, warm);
            unless(all.equals(trial.node().findAll(ids)), "the first answer for a list was wrong");
            unless(all.equals(trial.node().findAll(ids)), "the second answer for a list was wrong");
            asked(trial, warm, 1);
            asked(trial, cold, 1);
        }
    },

    SEES_ITS_CHANGES("sees a change on the node that has announced it") {
        @Override
        void check(Trial trial) {
            Long id = trial.user();
            // Repeated, because an asynchronous announcement arrives in time now and then.
            for (int version = 0; version < 30; version++) {
                trial.node().find(id);
                UserProfile row = trial.change(id, "version " + version);
                trial.node().changed(id);
                unless(row.equals(trial.node().find(id)), "an old row was found after a change");
            }
        }
    },

    SHARES("finds what another node has stored") {
        @Override
        void check(Trial trial) {
            Long id = trial.user();
            trial.node().find(id);
            unless(
                    Users.profile(id).equals(trial.otherNode().find(id)),
                    "an entry that another node has stored was not found");
            asked(trial, id, 1);
        }
    },

    ADMITS_FAILURES("answers nothing for a source that fails, and remembers nothing of it") {
        @Override
        void check(Trial trial) {
            Long id = trial.user();
            Long listed = trial.user();
            trial.source().fail(true);
            try {
                unless(fails(() -> trial.node().find(id)), "there was an answer while the source failed");
                unless(fails(() -> trial.node().findAll(List.of(listed))), "there was a list while the source failed");
            } finally {
                trial.source().fail(false);
            }
            unless(Users.profile(id).equals(trial.node().find(id)), "a failure was cached");
            unless(
                    Map.of(listed, Users.profile(listed)).equals(trial.node().findAll(List.of(listed))),
                    "a failure of a list was cached");
        }
    },

    TELLS_CALLERS_APART("gives each of 16 threads the user it asks for") {
        @Override
        void check(Trial trial) throws Exception {
            ExecutorService threads = Executors.newFixedThreadPool(CROWD);
            // Long enough for all threads to be loading at once.
            trial.source().setDelay(Duration.ofMillis(20));
            try {
                CountDownLatch start = new CountDownLatch(1);
                List<Future<Boolean>> answers = new ArrayList<>();
                for (int i = 0; i < CROWD; i++) {
                    Long id = trial.user();
                    answers.add(threads.submit(() -> {
                        start.await();
                        return Users.profile(id).equals(trial.node().find(id));
                    }));
                }
                start.countDown();
                for (Future<Boolean> answer : answers) {
                    unless(answer.get(30, TimeUnit.SECONDS), "a thread was given another user");
                }
            } finally {
                trial.source().setDelay(Duration.ZERO);
                threads.shutdownNow();
            }
        }
    };

    private static final int CROWD = 16;

    private final String title;

    Promise(String title) {
        this.title = title;
    }

    /** The promise in words; their subject is the contender. */
    String title() {
        return title;
    }

    /** Whether only a contender that caches in Redis can keep it. */
    boolean isAboutNodes() {
        return this == SHARES;
    }

    /**
     * Tries the promise.
     *
     * @throws BrokenPromiseException if the promise is broken
     * @throws Exception the contender's own exception, which breaks the promise as well
     */
    abstract void check(Trial trial) throws Exception;

    private static void asked(Trial trial, Long id, int times) {
        long queries = trial.queries(id);
        unless(queries == times, "the source was asked " + queries + " times instead of " + times);
    }

    private static boolean fails(Runnable call) {
        try {
            call.run();
            return false;
        } catch (RuntimeException e) {
            return true;
        }
    }
}
