package dev.usher.benchmarks;

import com.zaxxer.hikari.HikariDataSource;
import dev.usher.UserProfile;
import dev.usher.benchmarks.Contender.Filling;
import dev.usher.benchmarks.Section.Bars;
import dev.usher.benchmarks.Section.Point;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.springframework.jdbc.core.simple.JdbcClient;

/** Row 5: a login without the check of the password. The row is read by the mobile number and then cached. */
final class Logins implements Measurement {

    private static final String WITHOUT_CACHE = "no cache";
    private static final String BOTH_FACETS = ", profile and status";

    @Override
    public Section measure(Plan plan) {
        List<Peer> peers = plan.peers(peer -> peer != Peer.USHER_SHARED && peer != Peer.LETTUCE && !peer.isAlike());
        try (PostgresServer postgres = PostgresServer.start();
                RedisServer redis = RedisServer.start();
                HikariDataSource database = database(postgres)) {
            Site site = new Site(redis.uri(), new CountedSource(plan.loginUsers()), plan.loginUsers());
            try (Contenders contenders = Contenders.open(peers, site);
                    UsherContender usher = UsherContender.both(site);
                    SpecificationContender specification = new SpecificationContender(site)) {
                JdbcClient client = JdbcClient.create(database);
                createUsers(client, plan.loginUsers());
                AtomicLong nextUser = new AtomicLong(1);
                Map<String, Supplier<Filling>> fillings = new LinkedHashMap<>();
                fillings.put(WITHOUT_CACHE, () -> (id, row) -> {});
                peers.forEach(peer -> fillings.put(peer.title(), contenders.get(peer)::beforeRead));
                fillings.put(Peer.USHER.title() + BOTH_FACETS, usher::beforeReadOfBothFacets);
                fillings.put(Peer.SPECIFICATION.title() + BOTH_FACETS, () -> specification::fillBothFacets);
                Map<String, Call> calls = new LinkedHashMap<>();
                fillings.forEach((title, filling) -> calls.put(title, login(client, plan, nextUser, filling)));
                return section(Turns.manyRounds(plan).take(calls, 1));
            }
        }
    }

    private static Section section(Map<String, Samples> samples) {
        Samples base = Objects.requireNonNull(samples.get(WITHOUT_CACHE));
        List<List<String>> rows = new ArrayList<>();
        List<Point> bars = new ArrayList<>();
        samples.forEach((title, taken) -> {
            double filling = taken.micros(50) - base.micros(50);
            rows.add(List.of(
                    title,
                    Figures.count(taken.nanos().getTotalCount()),
                    Figures.figure(taken.micros(50)),
                    Figures.figure(taken.micros(99)),
                    taken.timeOver(base).asRatio(),
                    title.equals(WITHOUT_CACHE) ? "-" : Figures.figure(filling)));
            bars.add(new Point(title, taken.timeOver(base).median()));
        });
        return new Section(Row.LOGINS, "Logins")
                .text(
                        "One caller logs in one user after the other, each for the first time: the row is read from PostgreSQL by"
                                + " its mobile number, no password is checked, and the profile is cached. *Profile and status*: a service"
                                + " caches both at a login, as the specification does.")
                .table(
                        List.of("", "logins", "p50 µs", "p99 µs", "time, of a login without a cache", "filling, µs"),
                        rows)
                .picture(new Bars("A login: time, of one without a cache", "times", bars));
    }

    /** Each login is that of a user which no contender has cached; the database has fewer, and its rows are read in turn. */
    private static Call login(JdbcClient client, Plan plan, AtomicLong nextUser, Supplier<Filling> beforeRead) {
        return random -> {
            long id = nextUser.getAndIncrement();
            Filling filling = beforeRead.get();
            UserProfile row = client.sql(
                            "SELECT mobile, name, photo, is_media, intro, certi FROM users WHERE mobile = ?")
                    .param(Users.profile(1 + id % plan.loginUsers()).mobile())
                    .query((result, number) -> new UserProfile(
                            result.getString(1),
                            result.getString(2),
                            result.getString(3),
                            result.getBoolean(4),
                            result.getString(5),
                            result.getString(6)))
                    .single();
            filling.fill(id, row);
        };
    }

    private static HikariDataSource database(PostgresServer postgres) {
        HikariDataSource database = new HikariDataSource();
        database.setJdbcUrl(postgres.createDatabase("logins"));
        database.setUsername(postgres.username());
        database.setPassword(postgres.password());
        return database;
    }

    private static void createUsers(JdbcClient client, int users) {
        client.sql("CREATE TABLE users (id bigint PRIMARY KEY, mobile text NOT NULL UNIQUE, name text NOT NULL,"
                        + " photo text NOT NULL, is_media boolean NOT NULL, intro text NOT NULL, certi text NOT NULL)")
                .update();
        int atOnce = 1_000;
        for (long first = 1; first <= users; first += atOnce) {
            List<Object[]> rows = new ArrayList<>();
            for (long id = first; id < first + atOnce && id <= users; id++) {
                UserProfile row = Users.profile(id);
                rows.add(
                        new Object[] {id, row.mobile(), row.name(), row.photo(), row.isMedia(), row.intro(), row.certi()
                        });
            }
            client.sql("INSERT INTO users VALUES :rows").param("rows", rows).update();
        }
        client.sql("ANALYZE users").update();
    }
}
