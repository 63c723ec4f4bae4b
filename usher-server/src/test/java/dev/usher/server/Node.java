package dev.usher.server;

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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import javax.sql.DataSource;
import net.ttddyy.dsproxy.ExecutionInfo;
import net.ttddyy.dsproxy.QueryInfo;
import net.ttddyy.dsproxy.listener.NoOpQueryExecutionListener;
import net.ttddyy.dsproxy.support.ProxyDataSourceBuilder;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.jdbc.core.simple.JdbcClient;
import tools.jackson.core.json.JsonWriteFeature;
import tools.jackson.databind.json.JsonMapper;

/** A server on a real Redis and a real PostgreSQL, as it runs in production, spoken to over HTTP. */
final class Node implements AutoCloseable {

    static final String ADMIN_MOBILE = "13900000001";
    static final String PASSWORD = "correct horse 8";

    private static final AtomicLong MOBILES = new AtomicLong(13800000000L);
    private static final AtomicLong DATABASES = new AtomicLong();
    private static final JsonMapper MAPPER =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    /** Each start makes the log anew, which is the JVM's: one after the other. */
    private static final ReentrantLock LOG = new ReentrantLock();

    private final HttpClient client = HttpClient.newHttpClient();
    private final Queue<String> statements;
    private final ConfigurableApplicationContext context;
    private final String address;

    private Node(ConfigurableApplicationContext context, Queue<String> statements) {
        this.context = context;
        this.statements = statements;
        this.address = "http://127.0.0.1:" + context.getEnvironment().getProperty("local.server.port");
    }

    /** The servers that most tests share: started with the first of them, stopped with the JVM. */
    static final class Shared {

        static final RedisServer REDIS = RedisServer.start();
        static final PostgresServer POSTGRES = PostgresServer.start();
        static final SigningKey KEY = SigningKey.generate();

        /** For who does not ask for a key of its own: to make one takes a while. */
        static final Map<String, String> WITH_KEY = Map.of("usher.server.signing-key", KEY.pem());

        static final Node NODE = start(
                REDIS.uri(),
                newDatabase(),
                Map.of(
                        "usher.server.admin.mobile",
                        ADMIN_MOBILE,
                        "usher.server.admin.password",
                        PASSWORD,
                        "usher.server.signing-key",
                        KEY.pem(),
                        "usher.key-prefix",
                        "user"));
        static final StatefulRedisConnection<String, String> CONNECTION =
                RedisClient.create(REDIS.uri()).connect();

        private Shared() {}

        static RedisCommands<String, String> redis() {
            return CONNECTION.sync();
        }
    }

    /** An empty database on the shared PostgreSQL. */
    static String newDatabase() {
        return Shared.POSTGRES.createDatabase("usher" + DATABASES.incrementAndGet());
    }

    static Node start(String redis, String database, Map<String, String> settings, BeanPostProcessor... processors) {
        Queue<String> statements = new ConcurrentLinkedQueue<>();
        Map<String, String> all = new HashMap<>(Map.of(
                "server.port", "0",
                "spring.data.redis.url", redis,
                "spring.datasource.url", database,
                "spring.datasource.username", Shared.POSTGRES.username(),
                "spring.datasource.password", Shared.POSTGRES.password(),
                "spring.main.banner-mode", "off",
                // The first calls of a JVM can take longer than the default.
                "usher.redis.command-timeout", "5s",
                // All tests come from one address.
                "usher.server.attempts.per-address", "0",
                "usher.server.attempts.registrations-per-address", "0"));
        // Each database has a user 1.
        all.put("usher.key-prefix", database.substring(database.lastIndexOf('/') + 1));
        all.putAll(settings);
        SpringApplicationBuilder server = new SpringApplicationBuilder(UsherServer.class)
                .registerShutdownHook(false)
                .initializers(context -> {
                    LOG.unlock();
                    context.getBeanFactory().addBeanPostProcessor(new Recorder(statements));
                    List.of(processors).forEach(context.getBeanFactory()::addBeanPostProcessor);
                });
        LOG.lock();
        try {
            return new Node(
                    server.run(all.entrySet().stream()
                            .map(setting -> "--" + setting.getKey() + "=" + setting.getValue())
                            .toArray(String[]::new)),
                    statements);
        } finally {
            if (LOG.isHeldByCurrentThread()) {
                LOG.unlock();
            }
        }
    }

    /** A mobile number that nobody has yet. */
    static String newMobile() {
        return Long.toString(MOBILES.incrementAndGet());
    }

    /** A user who has registered, and what is known of them. */
    record User(Node node, long id, String mobile) {

        Answer tryLogin() {
            return node.post("/v1/login", Map.of("mobile", mobile, "password", PASSWORD), null);
        }

        Answer login() {
            return tryLogin().with(200);
        }

        String token() {
            return login().text("token");
        }
    }

    User register() {
        String mobile = newMobile();
        Answer answer = post("/v1/users", Map.of("mobile", mobile, "password", PASSWORD, "name", "Ann"), null)
                .with(201);
        return new User(this, answer.json().path("id").asLong(), mobile);
    }

    User administrator() {
        long id = jdbc().sql("SELECT id FROM users WHERE mobile = ?")
                .param(ADMIN_MOBILE)
                .query(Long.class)
                .single();
        return new User(this, id, ADMIN_MOBILE);
    }

    Answer setStatus(long id, String status) {
        return send(
                "PUT",
                "/v1/admin/users/" + id + "/status",
                Map.of("status", status),
                administrator().token());
    }

    Answer get(String path, @Nullable String token) {
        return send("GET", path, null, token);
    }

    Answer post(String path, Object body, @Nullable String token) {
        return send("POST", path, body, token);
    }

    Answer send(String method, String path, @Nullable Object body, @Nullable String token) {
        return send(request(method, path, body, token));
    }

    HttpRequest.Builder request(String method, String path, @Nullable Object body, @Nullable String token) {
        String text = body == null ? "" : body instanceof String raw ? raw : MAPPER.writeValueAsString(body);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address + path))
                .header("Content-Type", "application/json")
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(text));
        if (token != null) {
            request.header("Authorization", "Bearer " + token);
        }
        return request;
    }

    Answer send(HttpRequest.Builder request) {
        try {
            return new Answer(client.send(request.build(), BodyHandlers.ofString()));
        } catch (IOException e) {
            throw new IllegalStateException("the server did not answer", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** The same server, spoken to at the port of its actuator. */
    URI managementAddress(String path) {
        return URI.create("http://127.0.0.1:" + context.getEnvironment().getProperty("local.management.port") + path);
    }

    URI address(String path) {
        return URI.create(address + path);
    }

    /** The SQL statements sent since the last call of this. */
    List<String> statements() {
        List<String> sent = new ArrayList<>();
        for (String statement = statements.poll(); statement != null; statement = statements.poll()) {
            sent.add(statement);
        }
        return sent;
    }

    JdbcClient jdbc() {
        return context.getBean(JdbcClient.class);
    }

    /** Whether the server has not ended. */
    boolean isRunning() {
        return context.isActive();
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    <T> T bean(String name, Class<T> type) {
        return context.getBean(name, type);
    }

    @Override
    public void close() {
        context.close();
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
