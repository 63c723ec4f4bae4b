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
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingSystem;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.env.MapPropertySource;

/**
 * The server, with the Redis and the PostgreSQL that it was not given. All of it ends with {@link #close}, or with the
 * JVM, also at Ctrl-C: first the server, when the requests under way have been answered, then what it stands on.
 *
 * <p>Thread-safe.
 */
final class RunningServer implements AutoCloseable {

    /** Lowest in precedence: whoever sets something else in the environment gets it. */
    private static final Map<String, Object> DEFAULTS = Map.of(
            "logging.level.root", "WARN",
            // A server that does not start is told in one line, by this class.
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

    private Runnable farewell = () -> {};
    private boolean closed;

    private RunningServer(
            EmbeddedServers embedded, ConfigurableApplicationContext context, End end, boolean databaseReached) {
        this.embedded = embedded;
        this.context = context;
        this.end = end;
        this.databaseReached = databaseReached;
        this.redis = required("spring.data.redis.url");
        this.database = required("spring.datasource.url");
    }

    /**
     * Starts it, and returns when it serves.
     *
     * @param defaults settings of the server, unless the environment says otherwise
     * @param overrides settings of the server, whatever the environment says
     * @param processors what looks at the server's beans
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
        Map<String, Object> allDefaults = new HashMap<>(DEFAULTS);
        allDefaults.putAll(defaults);
        if (settings.databaseUrl() == null) {
            // Tried out, not yet in use: nothing that listens to others until somebody says so.
            allDefaults.put("server.address", "127.0.0.1");
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
                    // Here, and not before, because from here on the log is quiet.
                    .initializers(starting -> {
                        Map<String, Object> properties = new HashMap<>(properties(settings, embedded));
                        properties.putAll(overrides);
                        starting.getEnvironment()
                                .getPropertySources()
                                .addFirst(new MapPropertySource("command line", properties));
                        processors.forEach(starting.getBeanFactory()::addBeanPostProcessor);
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

    /** The server's own Redis, to be killed and restarted, or {@code null} for one that belongs to others. */
    @Nullable RedisServer ownRedis() {
        return embedded.redis();
    }

    /** Keeps what the server has to say about its Redis out of the log, or lets it in again. */
    void quiet(boolean quiet) {
        LoggingSystem log = context.getBean(LoggingSystem.class);
        ABOUT_REDIS.forEach(name -> log.setLogLevel(name, quiet ? LogLevel.OFF : null));
    }

    ApplicationContext context() {
        return context;
    }

    /** What is to be done before the server ends, however it does. */
    synchronized void beforeEnd(Runnable action) {
        farewell = action;
    }

    /** Whether the server is ending, or has ended. */
    boolean isClosing() {
        return end.begun.getCount() == 0;
    }

    /**
     * Returns when the server is ending.
     *
     * @throws CommandException when it does so by itself
     */
    void awaitClosing() throws InterruptedException {
        end.begun.await();
        if (end.byItself) {
            throw new CommandException("the server has given up; its log says why");
        }
    }

    /** That the server ends: it is told to, or it gives up. */
    private static final class End implements ApplicationListener<ExitCodeEvent> {

        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch over = new CountDownLatch(1);
        private volatile boolean byItself;

        /**
         * Has the server closed by {@link #close}, and returns when it is: the thread that gives up would close it at the same time,
         * while Redis ends already.
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
            // The JVM is shutting down, and the hook finds nothing left to do.
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
                farewell.run();
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

    private static Map<String, Object> properties(ServerSettings settings, EmbeddedServers embedded) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("server.port", settings.port());
        properties.put(
                "spring.data.redis.url",
                settings.redisUri() != null
                        ? settings.redisUri()
                        : embedded.startRedis().uri());
        if (settings.databaseUrl() == null) {
            PostgresServer postgres = embedded.startPostgres();
            properties.put("spring.datasource.url", postgres.jdbcUrl());
            properties.put("spring.datasource.username", postgres.username());
            properties.put("spring.datasource.password", postgres.password());
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
        Throwable root = failure;
        String setting = "";
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof CommandException known) {
                return known;
            }
            if (cause instanceof PortInUseException inUse) {
                return Preflight.inUse(settings.port(), inUse);
            }
            if (cause instanceof BindException binding) {
                setting = "the setting " + binding.getName() + ": ";
            }
            root = cause;
        }
        String why = root.getMessage() == null ? root.getClass().getName() : root.getMessage();
        return new CommandException("the server did not start: " + setting + why, failure);
    }

    private String required(String property) {
        return Objects.requireNonNull(context.getEnvironment().getProperty(property), property);
    }
}
