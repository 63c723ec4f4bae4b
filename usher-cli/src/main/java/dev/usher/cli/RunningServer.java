package dev.usher.cli;

import dev.usher.server.UsherServer;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.Banner;
import org.springframework.boot.ExitCodeEvent;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingSystem;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.core.env.MapPropertySource;

/**
 * A server, and the embedded Redis and PostgreSQL that it runs on where none is named. All of them end with {@link #close}, or with the JVM, also at
 * Ctrl-C: first the server, when the requests under way have been answered, then the embedded servers.
 *
 * <p>Thread-safe.
 */
final class RunningServer implements AutoCloseable {

    /** Levels of the log. Lowest in precedence: the environment overrides them. */
    static final Map<String, Object> QUIET = Map.of(
            "logging.level.root", "WARN",
            // The command reports a start that fails, in one line.
            "logging.level.org.springframework.boot.SpringApplication", "OFF",
            "logging.level.org.springframework.boot.diagnostics", "OFF",
            "logging.level.org.springframework.boot.web.server.servlet.context", "ERROR");

    private static final List<String> ABOUT_REDIS = List.of("dev.usher", "io.lettuce");

    private final EmbeddedServers embedded;
    private final ConfigurableApplicationContext context;
    private final String redis;
    private final String database;
    private final Thread shutdownHook = new Thread(this::end, "usher-shutdown");
    private final End end;
    private final boolean databaseReached;

    private Runnable lastAction = () -> {};
    private boolean closed;

    private RunningServer(
            EmbeddedServers embedded, ConfigurableApplicationContext context, End end, boolean databaseReached) {
        this.embedded = embedded;
        this.context = context;
        this.end = end;
        this.databaseReached = databaseReached;
        this.redis = required("usher.redis.url");
        this.database = required("spring.datasource.url");
    }

    /**
     * Starts it, and returns when it serves.
     *
     * @param defaults settings of the server, unless the environment says otherwise
     * @param overrides settings of the server, whatever the environment says
     * @param processors post-process the server's beans
     * @throws CommandException when it does not start
     */
    static RunningServer start(
            ServerSettings settings,
            Map<String, Object> defaults,
            Map<String, Object> overrides,
            List<BeanPostProcessor> processors) {
        if (settings.port() != 0) {
            Preflight.requireFree(settings.port());
        }
        boolean databaseReached =
                settings.databaseUrl() == null || Preflight.reachesDatabase(settings.databaseUrl(), settings);
        Map<String, Object> allDefaults = new HashMap<>(QUIET);
        allDefaults.putAll(defaults);
        if (settings.databaseUrl() == null) {
            // A server to try out: it listens to other machines only when SERVER_ADDRESS says so.
            allDefaults.put("server.address", "127.0.0.1");
        }
        if (hasRelay(settings)) {
            allDefaults.put("usher.relay.enabled", "true");
            // At its start it has everything flushed that was cached before it, which is nothing here.
            allDefaults.put("logging.level.dev.usher.relay.Flushes", "ERROR");
        }
        EmbeddedServers embedded = new EmbeddedServers();
        End end = new End();
        try {
            ConfigurableApplicationContext context = new SpringApplicationBuilder(UsherServer.class)
                    .bannerMode(Banner.Mode.OFF)
                    .logStartupInfo(false)
                    .registerShutdownHook(false)
                    .properties(allDefaults)
                    .listeners(end)
                    // Here, and not before: from here on the log is quiet.
                    .initializers(starting -> {
                        Map<String, Object> properties = new HashMap<>(properties(settings, embedded));
                        properties.putAll(overrides);
                        starting.getEnvironment()
                                .getPropertySources()
                                .addFirst(new MapPropertySource("command line", properties));
                        processors.forEach(starting.getBeanFactory()::addBeanPostProcessor);
                        if (settings.databaseUrl() == null) {
                            ((GenericApplicationContext) starting).registerBean(EmbeddedPublication.class);
                        }
                    })
                    .run();
            RunningServer server = new RunningServer(embedded, context, end, databaseReached);
            Runtime.getRuntime().addShutdownHook(server.shutdownHook);
            return server;
        } catch (RuntimeException e) {
            embedded.close();
            throw failure(e, settings);
        }
    }

    /** The address of the API. */
    String address() {
        return "http://localhost:" + required("local.server.port");
    }

    /** The URI of the Redis in use, without user and password. */
    String redis() {
        return MaskedUri.of(redis);
    }

    /** The JDBC URL of the database in use, without user and password. */
    String database() {
        return MaskedUri.of(database);
    }

    /** Whether the database could be reached a moment before the server started. */
    boolean hasReachedDatabase() {
        return databaseReached;
    }

    /** The embedded Redis, to be killed and restarted, or {@code null} when a Redis was named. */
    @Nullable RedisServer ownRedis() {
        return embedded.redis();
    }

    /** Whether the database is an embedded one. */
    boolean hasOwnDatabase() {
        return embedded.hasPostgres();
    }

    /** Switches the log lines about Redis off, or on again. */
    void quiet(boolean quiet) {
        LoggingSystem log = context.getBean(LoggingSystem.class);
        ABOUT_REDIS.forEach(name -> log.setLogLevel(name, quiet ? LogLevel.OFF : null));
    }

    ApplicationContext context() {
        return context;
    }

    /** Sets an action to run before the server ends, for whatever reason. */
    synchronized void beforeEnd(Runnable action) {
        lastAction = action;
    }

    /** Whether the server is ending, or has ended. */
    boolean isClosing() {
        return end.begun.getCount() == 0;
    }

    /**
     * Returns when the server is ending.
     *
     * @throws CommandException when it ends itself
     */
    void awaitClosing() throws InterruptedException {
        end.begun.await();
        if (end.byItself) {
            throw new CommandException("the server has ended itself; its log says why");
        }
    }

    /** The end of the server, from outside or by itself. */
    private static final class End implements ApplicationListener<ExitCodeEvent> {

        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch over = new CountDownLatch(1);
        private volatile boolean byItself;

        /**
         * Lets {@link #close} close the server, and returns when it is closed: otherwise the thread that ends the server would close it while
         * Redis is being stopped.
         */
        @Override
        public void onApplicationEvent(ExitCodeEvent exit) {
            byItself = true;
            begun.countDown();
            try {
                over.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @Override
    public void close() {
        end();
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            // The JVM is shutting down; the hook will find nothing left to do.
        }
    }

    private void end() {
        end.begun.countDown();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            try {
                lastAction.run();
            } finally {
                try {
                    context.close();
                } finally {
                    embedded.close();
                    end.over.countDown();
                }
            }
        }
    }

    /** In a Redis that is named, this relay would write the bookmark of another one, that of the fleet. */
    static boolean hasRelay(ServerSettings settings) {
        return settings.databaseUrl() == null && settings.redisUri() == null;
    }

    private static Map<String, Object> properties(ServerSettings settings, EmbeddedServers embedded) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("server.port", settings.port());
        properties.put(
                "usher.redis.url",
                settings.redisUri() != null
                        ? settings.redisUri()
                        : embedded.startRedis().uri());
        if (settings.databaseUrl() == null) {
            PostgresServer postgres = embedded.startPostgres();
            properties.put("spring.datasource.url", postgres.jdbcUrl());
            properties.put("spring.datasource.username", postgres.username());
            properties.put("spring.datasource.password", postgres.password());
            // Whatever relay of a fleet the environment speaks of.
            properties.put("usher.relay.url", postgres.jdbcUrl());
            properties.put("usher.relay.username", postgres.username());
            properties.put("usher.relay.password", postgres.password());
            properties.put("usher.relay.publication", EmbeddedPublication.NAME);
            properties.put("usher.relay.feed", "log");
            properties.put("usher.relay.table", "users");
            properties.put("usher.relay.id-column", "id");
            properties.put("usher.relay.status-column", "status");
            properties.put("usher.relay.enabled-values", "1");
            properties.put("usher.relay.ignored-columns", "");
        } else {
            properties.put("spring.datasource.url", settings.databaseUrl());
            putIfSet(properties, "spring.datasource.username", settings.username());
            putIfSet(properties, "spring.datasource.password", settings.password());
        }
        return properties;
    }

    private static void putIfSet(Map<String, Object> properties, String name, @Nullable String value) {
        if (value != null) {
            properties.put(name, value);
        }
    }

    private static CommandException failure(RuntimeException failure, ServerSettings settings) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof PortInUseException inUse) {
                return Preflight.inUse(settings.port(), inUse);
            }
        }
        return StartFailure.of("the server did not start: ", failure);
    }

    private String required(String property) {
        return Objects.requireNonNull(context.getEnvironment().getProperty(property), property);
    }
}
