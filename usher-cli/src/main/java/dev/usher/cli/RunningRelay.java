package dev.usher.cli;

import dev.usher.UserCaches;
import dev.usher.spring.RedisEndpoint;
import io.lettuce.core.RedisURI;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.support.BeanDefinitionRegistry;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.core.env.Environment;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.StandardEnvironment;

/**
 * A relay by itself, in a context of Spring Boot: so its settings are those of the relay in any application, as environment variables. Thread-safe.
 */
final class RunningRelay implements AutoCloseable {

    /** The beans of the relay that is started, of its health, and one that makes the caches. */
    private static final List<String> STARTED =
            List.of("usherRelayHealthContributor", "usherRelay", "usherRevocationListeners");

    private static final String URL = "spring.datasource.url";
    private static final Pattern USER = Pattern.compile("[?&]user=([^&]+)");

    private static final String NOT_STARTED = "the relay did not start: ";

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
        return new RunningRelay(run(application(environment).initializers(RunningRelay::requireRedis)));
    }

    /**
     * A context that can make the relay's feed and its Redis, and starts nothing.
     *
     * @throws CommandException when the settings cannot be used
     */
    static ConfigurableApplicationContext idle(Map<String, String> environment) {
        return run(application(environment)
                .lazyInitialization(true)
                .initializers(starting -> starting.addBeanFactoryPostProcessor(beans -> {
                    BeanDefinitionRegistry definitions = (BeanDefinitionRegistry) beans;
                    STARTED.stream()
                            .filter(definitions::containsBeanDefinition)
                            .forEach(definitions::removeBeanDefinition);
                })));
    }

    /**
     * A bean of an {@linkplain #idle idle} context.
     *
     * @throws CommandException when the settings cannot be used
     */
    static <T> T bean(ConfigurableApplicationContext idle, Class<T> type) {
        try {
            return idle.getBean(type);
        } catch (RuntimeException e) {
            throw StartFailure.of(NOT_STARTED, e);
        }
    }

    /**
     * The facets that the fleet caches.
     *
     * @throws CommandException when they are none
     */
    static List<String> facetsOf(ConfigurableApplicationContext context) {
        try {
            return RelayApplication.facets(context.getEnvironment());
        } catch (RuntimeException e) {
            throw StartFailure.of(NOT_STARTED, e);
        }
    }

    /**
     * Makes sure that the prefix of keys can be used, as the caches do.
     *
     * @throws CommandException when it cannot
     */
    static void requireKeyPrefix(ConfigurableApplicationContext context) {
        String setting = "usher.key-prefix";
        String prefix = context.getEnvironment().getProperty(setting, "");
        try {
            if (!prefix.isEmpty()) {
                UserCaches.builder().keyPrefix(prefix);
            }
        } catch (IllegalArgumentException e) {
            throw StartFailure.of(
                    NOT_STARTED,
                    new InvalidConfigurationPropertyValueException(setting, prefix, String.valueOf(e.getMessage())));
        }
    }

    /**
     * Makes sure that a Redis is named.
     *
     * @throws CommandException when none is
     */
    static void requireRedis(ConfigurableApplicationContext context) {
        Binder settings = Binder.get(context.getEnvironment());
        boolean isNamed = Stream.of("url", "host", "port")
                        .anyMatch(name -> settings.bind("usher.redis." + name, String.class)
                                .isBound())
                || Stream.of("sentinel", "cluster")
                        .anyMatch(servers -> settings.bind(
                                        "usher.redis." + servers + ".nodes", Bindable.listOf(String.class))
                                .isBound());
        if (!isNamed) {
            throw new CommandException("name the Redis of the fleet with " + ServerSettings.REDIS_URI);
        }
    }

    private static SpringApplicationBuilder application(Map<String, String> environment) {
        Map<String, Object> variables = new HashMap<>(environment);
        variables.remove(ServerSettings.PORT); // of the server, and none of the relay's
        ServerSettings settings = ServerSettings.ofServers(environment);
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
        return new SpringApplicationBuilder(RelayApplication.class)
                .web(WebApplicationType.NONE)
                .bannerMode(Banner.Mode.OFF)
                .logStartupInfo(false)
                .registerShutdownHook(false)
                .properties(defaults)
                .environment(new StandardEnvironment() {
                    @Override
                    public Map<String, Object> getSystemEnvironment() {
                        return Map.copyOf(variables);
                    }
                })
                .initializers(starting -> {
                    starting.getEnvironment()
                            .getPropertySources()
                            .addFirst(new MapPropertySource("command line", properties));
                    if (databaseOf(starting) == null) {
                        throw new CommandException("name the database with " + ServerSettings.DATABASE_URL);
                    }
                    if (roleOf(starting) == null) {
                        throw new CommandException("name the role that reads the changes with "
                                + ServerSettings.DATABASE_USERNAME + " or USHER_RELAY_USERNAME");
                    }
                    starting.getBeanFactory()
                            .registerSingleton("meterRegistry", new PrometheusMeterRegistry(PrometheusConfig.DEFAULT));
                });
    }

    private static ConfigurableApplicationContext run(SpringApplicationBuilder application) {
        try {
            return application.run();
        } catch (RuntimeException e) {
            throw StartFailure.of(NOT_STARTED, e);
        }
    }

    private static void putIfSet(Map<String, Object> properties, String name, @Nullable String value) {
        if (value != null) {
            properties.put(name, value);
        }
    }

    /** The JDBC URL of the database, without user and password, or {@code null} when none is named. */
    static @Nullable String databaseOf(ConfigurableApplicationContext context) {
        String url = urlOf(context.getEnvironment());
        return url == null ? null : MaskedUri.of(url);
    }

    private static @Nullable String urlOf(Environment environment) {
        return firstOf(environment, "usher.relay.url", URL);
    }

    /** The role that reads the changes, or {@code null} when none is named. */
    static @Nullable String roleOf(ConfigurableApplicationContext context) {
        Environment environment = context.getEnvironment();
        String role = firstOf(environment, "usher.relay.username", "spring.datasource.username");
        Matcher inUrl = USER.matcher(String.valueOf(urlOf(environment)));
        return role != null || !inUrl.find() ? role : URLDecoder.decode(inUrl.group(1), StandardCharsets.UTF_8);
    }

    /** The Redis, without user and password. */
    static String redisOf(ConfigurableApplicationContext context) {
        String url = context.getEnvironment().getProperty("usher.redis.url");
        return MaskedUri.of(url == null ? uriOf(bean(context, RedisEndpoint.class)) : url);
    }

    private static String uriOf(RedisEndpoint redis) {
        return redis.clusterNodes().isEmpty()
                ? redis.uri().toString()
                : redis.clusterNodes().stream().map(RedisURI::toString).collect(Collectors.joining(", "));
    }

    private static @Nullable String firstOf(Environment environment, String... properties) {
        return Stream.of(properties)
                .map(property -> environment.getProperty(property, ""))
                .filter(text -> !text.isBlank())
                .findFirst()
                .orElse(null);
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
