package dev.usher;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * A process in which many threads ask for one cold user at once. It warms up and prints {@code ready}; then, for each id in its input, it
 * asks, and prints the number of right answers and the milliseconds of the slowest one.
 */
final class StampedeNode {

    private static final int THREADS = 100;

    private StampedeNode() {}

    /** Arguments: the URI of Redis, the URL of the database, and the first of 20 users to warm up with. */
    public static void main(String[] args) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try (UserCaches caches = UserCaches.builder()
                        .redis(args[0])
                        .commandTimeout(Duration.ofSeconds(2))
                        .build();
                Connection database = DriverManager.getConnection(args[1]);
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            UserCache<Long, UserProfile> cache =
                    caches.cache(UserProfile.FACET, Long.class, ids -> query(database, ids));
            for (int round = 0; round < 20; round++) {
                ask(cache, Long.parseLong(args[2]) + round, threads);
            }
            System.out.println("ready");
            for (String id = in.readLine(); id != null; id = in.readLine()) {
                System.out.println(ask(cache, Long.parseLong(id), threads));
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static String ask(UserCache<Long, UserProfile> cache, long id, ExecutorService threads) throws Exception {
        CountDownLatch asked = new CountDownLatch(1);
        List<Future<Long>> callers = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            callers.add(threads.submit(() -> {
                asked.await();
                long from = System.nanoTime();
                boolean right = cache.find(id).orElseThrow().name().equals("user " + id);
                return right ? System.nanoTime() - from : -1;
            }));
        }
        asked.countDown();
        int right = 0;
        long slowest = 0;
        for (Future<Long> caller : callers) {
            right += caller.get() >= 0 ? 1 : 0;
            slowest = Math.max(slowest, caller.get());
        }
        return right + " " + slowest / 1_000_000;
    }

    /** A query that takes 50 ms and counts itself. */
    private static synchronized Map<Long, UserProfile> query(Connection database, Set<Long> ids) throws SQLException {
        try (PreparedStatement statement = database.prepareStatement(
                "select id, name, nextval('queries'), pg_sleep(0.05) from users where id = any (?)")) {
            statement.setArray(1, database.createArrayOf("bigint", ids.toArray()));
            Map<Long, UserProfile> users = new HashMap<>();
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    users.put(rows.getLong(1), UserProfile.ofNullable("", rows.getString(2), null, false, null, null));
                }
            }
            return users;
        }
    }
}
