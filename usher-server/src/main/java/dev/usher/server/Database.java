package dev.usher.server;

import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Properties;
import javax.sql.DataSource;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.flyway.autoconfigure.FlywayConfigurationCustomizer;
import org.springframework.boot.flyway.autoconfigure.FlywayMigrationStrategy;
import org.springframework.boot.jdbc.autoconfigure.JdbcConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.datasource.SimpleDriverDataSource;

/** How the database is connected to, by the server and by its migrations. */
@Configuration(proxyBeanMethods = false)
class Database {

    /** Nobody enters the database before {@link Preparation} is through. */
    @Bean
    static BeanPostProcessor preparedDataSources(ObjectProvider<ServerLimits> limits) {
        return new BeanPostProcessor() {
            @Override
            public Object postProcessAfterInitialization(Object bean, String name) {
                return bean instanceof DataSource database
                        ? new PreparedDataSource(database, limits.getObject().waitingForDatabase())
                        : bean;
            }
        };
    }

    /** Not while the application is put together, for the database may be away: that is up to {@link Preparation}. */
    @Bean
    FlywayMigrationStrategy migrateLater() {
        return flyway -> {};
    }

    /** A migration may take its time, which a query of the server may not; so it has a connection of its own. */
    @Bean
    FlywayConfigurationCustomizer connectionOfMigrations(JdbcConnectionDetails details) throws SQLException {
        String url = details.getJdbcUrl();
        Properties properties = new Properties();
        properties.setProperty("connectTimeout", "2");
        properties.setProperty("loginTimeout", "5");
        // What is lost without a word, with the machine at the other end, is noticed all the same.
        properties.setProperty("socketTimeout", "600");
        properties.setProperty("tcpKeepAlive", "true");
        properties.setProperty("logServerErrorDetail", "false");
        String username = details.getUsername();
        if (username != null) {
            properties.setProperty("user", username);
        }
        String password = details.getPassword();
        if (password != null) {
            properties.setProperty("password", password);
        }
        SimpleDriverDataSource migrations = new SimpleDriverDataSource(DriverManager.getDriver(url), url, properties);
        return configuration -> configuration.dataSource(migrations);
    }
}
