package dev.usher.server;

import com.zaxxer.hikari.HikariDataSource;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import javax.sql.DataSource;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.flyway.autoconfigure.FlywayConfigurationCustomizer;
import org.springframework.boot.flyway.autoconfigure.FlywayMigrationStrategy;
import org.springframework.boot.jdbc.autoconfigure.JdbcConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.Environment;
import org.springframework.jdbc.datasource.SimpleDriverDataSource;

/** The connections of the server and of its migrations. */
@Configuration(proxyBeanMethods = false)
class Database {

    /** Spring Boot's for Flyway; an application may have set others. */
    private static final String DEFAULT_LOCATION = "classpath:db/migration";

    /** A caller should be told soon that the database is unreachable. */
    private static final Duration TO_CONNECT = Duration.ofSeconds(2);

    /** Longer than a query may take: a slow query is cancelled before, and its connection stays. */
    private static final Duration SILENCE = Duration.ofSeconds(5);

    /** Notices a connection whose other end is gone without closing it. */
    private static final Duration SILENCE_OF_MIGRATIONS = Duration.ofMinutes(10);

    /** No connection is handed out before {@link Preparation} is done. */
    @Bean
    static BeanPostProcessor preparedDataSources(ObjectProvider<ServerLimits> limits, Environment environment) {
        String url = environment.getProperty("spring.datasource.url");
        if (url != null) {
            requireDriver(url);
        }
        return new BeanPostProcessor() {
            // The settings of spring.datasource.hikari.data-source-properties stay.
            @Override
            public Object postProcessBeforeInitialization(Object bean, String name) {
                if (bean instanceof HikariDataSource pool && pool.getJdbcUrl() != null) {
                    Dialect.of(pool.getJdbcUrl())
                            .timeouts(TO_CONNECT, SILENCE)
                            .forEach(pool.getDataSourceProperties()::putIfAbsent);
                }
                return bean;
            }

            @Override
            public Object postProcessAfterInitialization(Object bean, String name) {
                return bean instanceof DataSource database
                        ? new PreparedDataSource(database, limits.getObject().waitingForDatabase())
                        : bean;
            }
        };
    }

    /** Migrates nothing while the context starts, since the database may be unreachable: {@link Preparation} migrates. */
    @Bean
    FlywayMigrationStrategy migrateLater() {
        return flyway -> {};
    }

    /** The SQL of the database in use. */
    @Bean
    Dialect dialect(JdbcConnectionDetails details) {
        return Dialect.of(details.getJdbcUrl());
    }

    /** Migrations have a connection of their own: they may take longer than a query of the server may. */
    @Bean
    FlywayConfigurationCustomizer connectionOfMigrations(JdbcConnectionDetails details, Dialect dialect)
            throws SQLException {
        String url = details.getJdbcUrl();
        Properties properties = new Properties();
        properties.putAll(dialect.timeouts(TO_CONNECT, SILENCE_OF_MIGRATIONS));
        String username = details.getUsername();
        if (username != null) {
            properties.setProperty("user", username);
        }
        String password = details.getPassword();
        if (password != null) {
            properties.setProperty("password", password);
        }
        SimpleDriverDataSource migrations = new SimpleDriverDataSource(DriverManager.getDriver(url), url, properties);
        return configuration -> {
            configuration.dataSource(migrations);
            if (Arrays.stream(configuration.getLocations())
                    .allMatch(location -> location.getDescriptor().equals(DEFAULT_LOCATION))) {
                configuration.locations(dialect.migrations());
            }
        };
    }

    /**
     * Makes sure that there is SQL and a driver for the database, before anything asks for a connection.
     *
     * @throws IllegalStateException when there is not
     */
    private static void requireDriver(String url) {
        String driver = Dialect.driverOf(url);
        try {
            DriverManager.getDriver(url);
        } catch (SQLException e) {
            throw new IllegalStateException(
                    "no driver accepts spring.datasource.url: it is malformed, or " + driver
                            + " is not on the class path",
                    e);
        }
    }
}
