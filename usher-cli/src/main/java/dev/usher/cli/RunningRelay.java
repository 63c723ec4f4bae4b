package dev.usher.cli;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.support.BeanDefinitionRegistry;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.StandardEnvironment;

/**
 * A relay by itself, in a context of Spring Boot: so its settings are those of the relay in any application, as environment variables. Thread-safe.
 */
final class RunningRelay implements AutoCloseable {

    /** The beans of the relay that is started, and of its health. */
    private static final List<String> STARTED = List.of("usherRelayHealthContributor", "usherRelay");

    private static final String URL = "spring.datasource.url";

    private final ConfigurableApplicationContext context;

    private RunningRelay(ConfigurableApplicationContext context) {
        this.context = context;
    }

    /**
     * Starts it. A database or Redis that cannot be reached does not prevent it.
     *
     * @throws CommandException when the settings cannot be used
     */
    static RunningRelay start(Map<String, String> environment) {
        if (ServerSettings.of(environment).redisUri() == null) {
            throw new CommandException("name the Redis of the fleet with " + ServerSettings.REDIS_URI);
        }
        return new RunningRelay(run(application(RelayApplication.class, environment)));
    }

    /**
     * A context that has the relay's feed, and starts nothing.
     *
     * @throws CommandException when the settings cannot be used
     */
    static ConfigurableApplicationContext idle(Map<String, String> environment) {
        return run(application(RelayFeedApplication.class, environment)
                .lazyInitialization(true)
                .initializers(starting -> starting.addBeanFactoryPostProcessor(beans -> {
                    BeanDefinitionRegistry definitions = (BeanDefinitionRegistry) beans;
                    STARTED.stream()
                            .filter(definitions::containsBeanDefinition)
                            .forEach(definitions::removeBeanDefinition);
                })));
    }

    private static SpringApplicationBuilder application(Class<?> source, Map<String, String> environment) {
        ServerSettings settings = ServerSettings.of(environment);
        Map<String, Object> defaults = new HashMap<>(RunningServer.QUIET);
        defaults.put("logging.level." + AnnotationConfigApplicationContext.class.getName(), "ERROR");
        // The command prints what this logs.
        defaults.put("logging.level.dev.usher.relay.ChangeRelay", "ERROR");
        Map<String, Object> properties = new HashMap<>();
        properties.put("usher.relay.enabled", "true");
        putIfSet(properties, URL, settings.databaseUrl());
        putIfSet(properties, "spring.datasource.username", settings.username());
        putIfSet(properties, "spring.datasource.password", settings.password());
        putIfSet(properties, "usher.redis.url", settings.redisUri());
        return new SpringApplicationBuilder(source)
                .web(WebApplicationType.NONE)
                .bannerMode(Banner.Mode.OFF)
                .logStartupInfo(false)
                .registerShutdownHook(false)
                .properties(defaults)
                .environment(new StandardEnvironment() {
                    @Override
                    public Map<String, Object> getSystemEnvironment() {
                        return Map.copyOf(environment);
                    }
                })
                .initializers(starting -> {
                    starting.getEnvironment()
                            .getPropertySources()
                            .addFirst(new MapPropertySource("command line", properties));
                    if (databaseOf(starting) == null) {
                        throw new CommandException("name the database with " + ServerSettings.DATABASE_URL);
                    }
                    starting.getBeanFactory()
                            .registerSingleton("meterRegistry", new PrometheusMeterRegistry(PrometheusConfig.DEFAULT));
                });
    }

    private static ConfigurableApplicationContext run(SpringApplicationBuilder application) {
        try {
            return application.run();
        } catch (RuntimeException e) {
            throw StartFailure.of("the relay did not start: ", e);
        }
    }

    private static void putIfSet(Map<String, Object> properties, String name, @Nullable String value) {
        if (value != null) {
            properties.put(name, value);
        }
    }

    /** The JDBC URL of the database, without user and password, or {@code null} when none is named. */
    static @Nullable String databaseOf(ConfigurableApplicationContext context) {
        String own = context.getEnvironment().getProperty("usher.relay.url", "");
        String url = own.isBlank() ? context.getEnvironment().getProperty(URL) : own;
        return url == null ? null : MaskedUri.of(url);
    }

    ConfigurableApplicationContext context() {
        return context;
    }

    /** How it is doing. */
    Health health() {
        Health health = context.getBean(HealthIndicator.class).health();
        return health == null ? Health.status(Status.UNKNOWN).build() : health;
    }

    /** Its meters, as Prometheus reads them. */
    String meters() {
        return context.getBean(PrometheusMeterRegistry.class).scrape();
    }

    @Override
    public void close() {
        context.close();
    }
}
