package dev.usher.server;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.CachesHealth;
import dev.usher.RedisBelief;
import dev.usher.UserCaches;
import dev.usher.UserProfileCache;
import dev.usher.UserStatusCache;
import dev.usher.UserUnavailableException;
import dev.usher.server.token.SigningKey;
import dev.usher.server.web.TimedHttpProtocol;
import dev.usher.server.web.WebSecurityTest;
import dev.usher.spring.UsherProperties;
import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.MariaDbServer;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.sql.DataSource;
import net.ttddyy.dsproxy.ExecutionInfo;
import net.ttddyy.dsproxy.QueryInfo;
import net.ttddyy.dsproxy.listener.NoOpQueryExecutionListener;
import net.ttddyy.dsproxy.support.ProxyDataSourceBuilder;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.tomcat.TomcatWebServer;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.CannotGetJdbcConnectionException;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.crypto.password.DelegatingPasswordEncoder;
import org.springframework.security.crypto.password.PasswordEncoder;
import tools.jackson.core.json.JsonWriteFeature;
import tools.jackson.databind.json.JsonMapper;

/** A server on a real Redis and a real PostgreSQL, as it runs in production, spoken to over HTTP. */
public final class Node implements AutoCloseable {

    public static final String ADMIN_MOBILE = "13900000001";
    public static final String PASSWORD = "correct horse 8";

    private static final AtomicLong MOBILES = new AtomicLong(13800000000L);
    private static final AtomicLong ABSENT = new AtomicLong(900_000_000_000L);
    private static final AtomicLong DATABASES = new AtomicLong();
    private static final JsonMapper MAPPER =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    /** Each start resets the log of the JVM, so nodes start one after the other. */
    private static final ReentrantLock LOG = new ReentrantLock();

    static {
        QuickKeys.install();
    }

    private static final Pattern STARTED = Pattern.compile("Tomcat started on port (\\d+)");

    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    private final Queue<String> statements;
    private final @Nullable ConfigurableApplicationContext context;
    private final @Nullable Process process;
    private final String address;

    private Node(ConfigurableApplicationContext context, Queue<String> statements) {
        this.context = context;
        this.process = null;
        this.statements = statements;
        this.address = addressOf(context.getEnvironment().getProperty("local.server.port"));
    }

    private Node(Process process, String port) {
        this.context = null;
        this.process = process;
        this.statements = new ConcurrentLinkedQueue<>();
        this.address = addressOf(port);
    }

    private static String addressOf(@Nullable String port) {
        return "http://127.0.0.1:" + port;
    }

    /** The servers that most tests share: started with the first of them, stopped with the JVM. */
    public static final class Shared {

        public static final RedisServer REDIS = RedisServer.start();
        public static final PostgresServer POSTGRES = PostgresServer.start();
        public static final SigningKey KEY = SigningKey.generate();

        /** For a test that does not ask for a key of its own: to generate one takes a while. */
        public static final Map<String, String> WITH_KEY = Map.of("usher.server.signing-key", KEY.pem());

        /** The key, and an administrator. */
        public static final Map<String, String> SETTINGS = with(
                WITH_KEY, Map.of("usher.server.admin.mobile", ADMIN_MOBILE, "usher.server.admin.password", PASSWORD));

        public static final String DATABASE = newDatabase();
        public static final String PREFIX = "user";
        public static final Node NODE = start(REDIS.uri(), DATABASE, with(SETTINGS, Map.of("usher.key-prefix", PREFIX)))
                .believing();
        public static final StatefulRedisConnection<String, String> CONNECTION =
                RedisClient.create(REDIS.uri()).connect();

        private Shared() {}

        public static RedisCommands<String, String> redis() {
            return CONNECTION.sync();
        }
    }

    /**
     * Two servers that tests share, started at once on one database that was empty, without a key in the settings. The second one
     * reaches the database through a proxy: a test that breaks it restores it.
     */
    public static final class Pair {

        public static final FaultProxy DATABASE_OF_OTHER = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port());
        public static final String DATABASE = newDatabase();
        public static final Node ONE;
        public static final Node OTHER;

        /** How many rows each table had when both had started. */
        static final Map<String, Long> ROWS_AT_START;

        static {
            Map<String, String> settings = Map.of(
                    "usher.server.admin.mobile",
                    ADMIN_MOBILE,
                    "usher.server.admin.password",
                    PASSWORD,
                    "usher.server.attempts.per-mobile",
                    "0",
                    "usher.key-prefix",
                    "pair");
            List<Node> nodes = startTogether(
                    Shared.REDIS.uri(), List.of(DATABASE, through(DATABASE_OF_OTHER, DATABASE)), settings);
            ONE = nodes.get(0);
            OTHER = nodes.get(1);
            ROWS_AT_START = Map.of(
                    "signing_keys", ONE.count("signing_keys"),
                    "user_roles", ONE.count("user_roles"),
                    "users", ONE.count("users"));
        }

        private Pair() {}
    }

    /** A MariaDB, and a server on it, that tests share where {@link MariaDbServer#isThere} says that there is one. */
    public static final class OnMariaDb {

        public static final MariaDbServer SERVER = MariaDbServer.start();
        public static final Map<String, String> SETTINGS = with(
                Map.of(
                        "spring.datasource.username", SERVER.username(),
                        "spring.datasource.password", SERVER.password()),
                Map.of(
                        "usher.server.admin.mobile", ADMIN_MOBILE,
                        "usher.server.admin.password", PASSWORD,
                        "usher.key-prefix", "mariadb"));
        public static final String DATABASE = SERVER.createDatabase("usher");
        public static final Node NODE =
                start(Shared.REDIS.uri(), DATABASE, SETTINGS).believing();

        private OnMariaDb() {}

        /** Two more nodes on an empty database, started at once. */
        public static List<Node> startTwo(String database) {
            String url = SERVER.createDatabase(database);
            return startTogether(
                    Shared.REDIS.uri(),
                    List.of(url, url),
                    with(SETTINGS, Map.of("usher.key-prefix", database, "usher.server.attempts.per-mobile", "0")));
        }
    }

    /**
     * A server that tests share and may break: on a Redis of its own, and with its database behind a proxy. Whatever a test has broken
     * is mended with {@link #close}, which waits until the server has taken notice.
     */
    public record Fragile(Node node, RedisServer redis, FaultProxy database) implements AutoCloseable {

        private static final Duration PATIENCE = Duration.ofSeconds(30);

        private static final class Only {

            static final Fragile FRAGILE = create();

            private static Fragile create() {
                RedisServer redis = RedisServer.start();
                FaultProxy database = FaultProxy.inFrontOf("127.0.0.1", Shared.POSTGRES.port());
                return new Fragile(
                        start(redis.uri(), through(database, newDatabase()), with(with(Shared.SETTINGS, SOON), SMALL))
                                .believing(),
                        redis,
                        database);
            }
        }

        /** A caller of a server without its database is answered sooner than by default. */
        public static final Map<String, String> SOON = Map.of("spring.datasource.hikari.connection-timeout", "500");

        public static final int WAITING_RECEIPTS = 2;

        /** So few threads that it is noticed when some are held, and clients that are slow are cut off sooner than by default. */
        private static final Map<String, String> SMALL = Map.ofEntries(
                Map.entry("server.tomcat.threads.max", "12"),
                Map.entry("server.tomcat.connection-timeout", "1s"),
                Map.entry("usher.server.limits.head-timeout", "1s"),
                Map.entry("usher.server.limits.body-timeout", "1s"),
                Map.entry("usher.server.limits.buffered-bodies", "64KB"),
                Map.entry("usher.server.limits.waiting-receipts", Integer.toString(WAITING_RECEIPTS)),
                Map.entry("usher.server.limits.waiting-for-database", "4"),
                Map.entry("usher.profile.max-waiting-loads", "1"),
                Map.entry("usher.status.max-waiting-loads", "1"),
                Map.entry("spring.datasource.hikari.maximum-pool-size", "4"));

        public String keyPrefix() {
            return node.bean(UsherProperties.class).keyPrefix();
        }

        /** Nothing of it is broken. */
        public static Fragile whole() {
            return Only.FRAGILE;
        }

        @Override
        public void close() {
            database.restore();
            if (!redis.isRunning()) {
                redis.restart();
            }
            await().atMost(PATIENCE)
                    // The pool of connections tries again after a while.
                    .ignoreExceptionsMatching(failure -> failure instanceof UserUnavailableException
                            || failure instanceof CannotGetJdbcConnectionException)
                    .untilAsserted(() -> {
                        assertThat(node.health("db")).isEqualTo("UP");
                        node.administrator().login();
                        askSources();
                        assertWhole(node.bean(UserCaches.class).health());
                        assertThat(RedisBelief.isGiven(node.bean(UserCaches.class)))
                                .isTrue();
                    });
        }

        /** Sooner than the health is up, which remembers for two seconds that a call of Redis has failed. */
        private static void assertWhole(CachesHealth health) {
            assertThat(health.redis()).isIn(CachesHealth.Redis.ANSWERING, CachesHealth.Redis.FAILING);
            assertThat(health.nearOpen()).isTrue();
            assertThat(health.pendingFences()).isZero();
            assertThat(health.source()).isEmpty();
        }

        /** They count as failing until then. */
        @SuppressWarnings({"rawtypes", "unchecked"})
        private void askSources() {
            var unused = List.of(
                    node.bean(UserProfileCache.class).findFresh(1L),
                    node.bean(UserStatusCache.class).findFresh(1L));
        }
    }

    /** Not in the class that has the servers: threads cannot enter it before it is there. */
    static List<Node> startTogether(String redis, List<String> databases, Map<String, String> settings) {
        AtomicInteger turn = new AtomicInteger();
        QuickKeys.meet(databases.size());
        return Together.run(databases.size(), () -> {
                    String database = databases.get(turn.getAndIncrement());
                    return Map.entry(database, start(redis, database, settings));
                })
                .stream()
                .sorted(Comparator.comparingInt(started -> databases.indexOf(started.getKey())))
                .map(Map.Entry::getValue)
                .toList();
    }

    /** The one settings and the other, which count where both say something. */
    public static Map<String, String> with(Map<String, String> settings, Map<String, String> more) {
        Map<String, String> all = new HashMap<>(settings);
        all.putAll(more);
        return Map.copyOf(all);
    }

    /** A database of the shared PostgreSQL, through a proxy in front of that. */
    public static String through(FaultProxy proxy, String database) {
        return database.replace("127.0.0.1:" + Shared.POSTGRES.port(), "127.0.0.1:" + proxy.port());
    }

    /** A database that nothing has prepared yet. */
    public static DataSource unprepared(DataSource database) {
        return new PreparedDataSource(database, 1);
    }

    /** An empty database on the shared PostgreSQL. */
    public static String newDatabase() {
        return Shared.POSTGRES.createDatabase("usher" + DATABASES.incrementAndGet());
    }

    public static Node start(
            String redis, String database, Map<String, String> settings, BeanPostProcessor... processors) {
        Queue<String> statements = new ConcurrentLinkedQueue<>();
        SpringApplicationBuilder server = new SpringApplicationBuilder(UsherServer.class)
                .registerShutdownHook(false)
                .initializers(context -> {
                    LOG.unlock();
                    context.getBeanFactory().addBeanPostProcessor(new Recorder(statements));
                    context.getBeanFactory().addBeanPostProcessor(new CheapPasswords());
                    List.of(processors).forEach(context.getBeanFactory()::addBeanPostProcessor);
                });
        LOG.lock();
        try {
            return new Node(server.run(arguments(redis, database, settings).toArray(String[]::new)), statements);
        } finally {
            if (LOG.isHeldByCurrentThread()) {
                LOG.unlock();
            }
        }
    }

    /** A server in a JVM of its own, which answers as fast as it can: neither its statements nor its beans can be looked at. */
    static Node startProcess(String redis, String database, Map<String, String> settings, Path output)
            throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-cp",
                System.getProperty("java.class.path"),
                UsherServer.class.getName()));
        command.addAll(arguments(redis, database, settings));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        AtomicReference<@Nullable String> port = new AtomicReference<>();
        await().atMost(Duration.ofMinutes(1)).until(() -> {
            Matcher started = STARTED.matcher(Files.readString(output));
            port.set(started.find() ? started.group(1) : null);
            return port.get() != null;
        });
        return new Node(process, requireNonNull(port.get()));
    }

    private static List<String> arguments(String redis, String database, Map<String, String> settings) {
        Map<String, String> all = new HashMap<>(Map.of(
                "server.port",
                "0",
                // Spring Boot does not know the URL of a Cluster.
                redis.startsWith("redis-cluster:") ? "usher.redis.url" : "spring.data.redis.url",
                redis,
                "spring.datasource.url",
                database,
                "spring.datasource.username",
                Shared.POSTGRES.username(),
                "spring.datasource.password",
                Shared.POSTGRES.password(),
                "spring.main.banner-mode",
                "off",
                // Ten connections are more than a test needs, and each is a process of PostgreSQL.
                "spring.datasource.hikari.minimum-idle",
                "1",
                // The first calls of a JVM can take longer than the default.
                "usher.redis.command-timeout",
                "5s",
                // All tests come from one address.
                "usher.server.attempts.per-address",
                "0",
                "usher.server.attempts.registrations-per-address",
                "0"));
        // A gate holds several logins, which would keep all others waiting.
        all.put("usher.server.passwords.max-at-once", "32");
        // Fewer logins until one is too many.
        all.put("usher.server.logins.max-per-user", "5");
        // Each database has a user 1.
        all.put("usher.key-prefix", database.substring(database.lastIndexOf('/') + 1));
        all.putAll(settings);
        return all.entrySet().stream()
                .map(setting -> "--" + setting.getKey() + "=" + setting.getValue())
                .toList();
    }

    /** A mobile number that is not registered yet. */
    public static String newMobile() {
        return Long.toString(MOBILES.incrementAndGet());
    }

    /** The id of no user, which no test has asked a server for: of one that is asked for, a server remembers that it is absent. */
    public static long newAbsentId() {
        return ABSENT.incrementAndGet();
    }

    /** A registered user. */
    public record User(Node node, long id, String mobile) {

        public Answer tryLogin() {
            return node.post("/v1/login", Map.of("mobile", mobile, "password", PASSWORD), null);
        }

        public Answer login() {
            return tryLogin().with(200);
        }

        public String token() {
            return login().text("token");
        }
    }

    public User register() {
        return register(PASSWORD);
    }

    public User register(String password) {
        String mobile = newMobile();
        Answer answer = post("/v1/users", Map.of("mobile", mobile, "password", password, "name", "Ann"), null)
                .with(201);
        return new User(this, answer.json().path("id").asLong(), mobile);
    }

    public User administrator() {
        long id = jdbc().sql("SELECT id FROM users WHERE mobile = ?")
                .param(ADMIN_MOBILE)
                .query(Long.class)
                .single();
        return new User(this, id, ADMIN_MOBILE);
    }

    public Answer setStatus(long id, String status) {
        return setStatus(id, status, administrator().token());
    }

    public Answer setStatus(long id, String status, String token) {
        return send("PUT", "/v1/admin/users/" + id + "/status", Map.of("status", status), token);
    }

    public Answer get(String path, @Nullable String token) {
        return send("GET", path, null, token);
    }

    /** The ids of the keys that the server publishes, in their order. */
    public List<String> kids() {
        return get("/.well-known/jwks.json", null)
                .with(200)
                .json()
                .path("keys")
                .valueStream()
                .map(key -> key.path("kid").asString())
                .toList();
    }

    public Answer post(String path, Object body, @Nullable String token) {
        return send("POST", path, body, token);
    }

    public Answer send(String method, String path, @Nullable Object body, @Nullable String token) {
        return send(request(method, path, body, token));
    }

    public HttpRequest.Builder request(String method, String path, @Nullable Object body, @Nullable String token) {
        String text = body == null ? "" : body instanceof String raw ? raw : MAPPER.writeValueAsString(body);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address + path))
                .header("Content-Type", "application/json")
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(text));
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        return request;
    }

    public Answer send(HttpRequest.Builder request) {
        try {
            return new Answer(CLIENT.send(request.build(), BodyHandlers.ofString()));
        } catch (IOException e) {
            throw new IllegalStateException("the server did not answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** The same server, spoken to at the port of its actuator. */
    public URI managementAddress(String path) {
        return URI.create("http://127.0.0.1:" + context().getEnvironment().getProperty("local.management.port") + path);
    }

    public URI address(String path) {
        return URI.create(address + path);
    }

    /** This node, once it believes Redis: for a moment after a start, each status is asked of the source. */
    public Node believing() {
        await().until(() -> RedisBelief.isGiven(bean(UserCaches.class)));
        return this;
    }

    /** The SQL statements sent since the last call of this. */
    public List<String> statements() {
        List<String> sent = new ArrayList<>();
        for (String statement = statements.poll(); statement != null; statement = statements.poll()) {
            sent.add(statement);
        }
        return sent;
    }

    public JdbcClient jdbc() {
        return context().getBean(JdbcClient.class);
    }

    public long count(String table) {
        return jdbc().sql("SELECT count(*) FROM " + table).query(Long.class).single();
    }

    /** The health of one component, as shown without a token. */
    public String health(String component) {
        return get("/actuator/health", null)
                .json()
                .at("/components/" + component + "/status")
                .asString();
    }

    /** Whether the server has not ended. */
    public boolean isRunning() {
        return context().isActive();
    }

    /** How many connections clients have to the server's port. */
    public long connections() {
        WebServerApplicationContext web = (WebServerApplicationContext) context();
        TomcatWebServer server = requireNonNull((TomcatWebServer) web.getWebServer());
        return ((TimedHttpProtocol) server.getTomcat().getConnector().getProtocolHandler()).getConnectionCount();
    }

    public <T> T bean(Class<T> type) {
        return context().getBean(type);
    }

    public <T> T bean(String name, Class<T> type) {
        return context().getBean(name, type);
    }

    private ConfigurableApplicationContext context() {
        return requireNonNull(context, "in a process of its own");
    }

    @Override
    public void close() {
        if (process == null) {
            context().close();
        } else {
            process.destroyForcibly();
        }
    }

    /**
     * Hashes passwords at bcrypt's lowest cost, for at the cost of production that would be most of what tests do. That cost is looked
     * at by {@link WebSecurityTest}.
     */
    private static final class CheapPasswords implements BeanPostProcessor {

        private static final int COST = 4;

        @Override
        public Object postProcessAfterInitialization(Object bean, String name) {
            return bean instanceof PasswordEncoder
                    ? new Gated(
                            new DelegatingPasswordEncoder("bcrypt", Map.of("bcrypt", new BCryptPasswordEncoder(COST))))
                    : bean;
        }
    }

    /**
     * Holds every login with one password where production takes its time: the password has been checked, and nothing has been made of
     * it yet.
     */
    public static final class Gate implements AutoCloseable {

        private static final Map<String, Gate> GATES = new ConcurrentHashMap<>();

        private final String password;
        private final AtomicInteger waiting = new AtomicInteger();
        private final CountDownLatch open = new CountDownLatch(1);

        private Gate(String password) {
            this.password = password;
        }

        /** A gate for a password that only one test has. */
        public static Gate forPassword(String password) {
            Gate gate = new Gate(password);
            GATES.put(password, gate);
            return gate;
        }

        public void awaitWaiting(int logins) {
            await().until(() -> waiting.get() == logins);
        }

        public void open() {
            open.countDown();
        }

        private void pass() {
            waiting.incrementAndGet();
            try {
                assertThat(open.await(30, TimeUnit.SECONDS)).isTrue();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void close() {
            GATES.remove(password);
            open();
        }
    }

    private record Gated(PasswordEncoder encoder) implements PasswordEncoder {

        @Override
        public @Nullable String encode(@Nullable CharSequence password) {
            return encoder.encode(password);
        }

        @Override
        public boolean matches(@Nullable CharSequence password, @Nullable String hash) {
            boolean matches = encoder.matches(password, hash);
            Gate gate = Gate.GATES.get(String.valueOf(password));
            if (gate != null) {
                gate.pass();
            }
            return matches;
        }
    }

    private record Recorder(Queue<String> statements) implements BeanPostProcessor {

        @Override
        public Object postProcessAfterInitialization(Object bean, String name) {
            if (!(bean instanceof DataSource dataSource)) {
                return bean;
            }
            return ProxyDataSourceBuilder.create(dataSource)
                    .listener(new NoOpQueryExecutionListener() {
                        @Override
                        public void beforeQuery(ExecutionInfo execution, List<QueryInfo> queries) {
                            queries.forEach(query -> statements.add(query.getQuery()));
                        }
                    })
                    .build();
        }
    }
}
