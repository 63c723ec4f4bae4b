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

/** The connections of the server and of its migrations. */
@Configuration(proxyBeanMethods = false)
class Database {

    /** No connection is handed out before {@link Preparation} is done. */
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

    /** Migrates nothing while the context starts, since the database may be unreachable: {@link Preparation} migrates. */
    @Bean
    FlywayMigrationStrategy migrateLater() {
        return flyway -> {};
    }

    /** Migrations have a connection of their own: they may take longer than a query of the server may. */
    @Bean
    FlywayConfigurationCustomizer connectionOfMigrations(JdbcConnectionDetails details) throws SQLException {
        String url = details.getJdbcUrl();
        Properties properties = new Properties();
        properties.setProperty("connectTimeout", "2");
        properties.setProperty("loginTimeout", "5");
        // Notices a connection whose other end is gone without closing it.
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
