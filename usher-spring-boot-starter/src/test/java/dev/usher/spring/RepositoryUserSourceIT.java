package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.UserProfile;
import dev.usher.UserProfileCache;
import dev.usher.UserSource;
import dev.usher.testkit.PostgresServer;
import dev.usher.testkit.RedisServer;
import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.EntityManagerFactory;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.util.Map;
import java.util.Set;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.data.jpa.autoconfigure.DataJpaRepositoriesAutoConfiguration;
import org.springframework.boot.hibernate.autoconfigure.HibernateJpaAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.persistence.autoconfigure.EntityScan;
import org.springframework.boot.transaction.autoconfigure.TransactionAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.data.jpa.repository.config.EnableJpaRepositories;
import org.springframework.data.repository.CrudRepository;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.orm.jpa.EntityManagerHolder;
import org.springframework.transaction.support.TransactionSynchronizationManager;

class RepositoryUserSourceIT {

    private static RedisServer redis;
    private static PostgresServer postgres;
    private static ConfigurableApplicationContext application;
    private static JdbcTemplate elsewhere;
    private static Accounts accounts;
    private static UserProfileCache<Long> profiles;

    @BeforeAll
    static void start() {
        redis = RedisServer.start();
        postgres = SharedPostgres.POSTGRES;
        application = new SpringApplicationBuilder(Application.class)
                .web(WebApplicationType.NONE)
                .registerShutdownHook(false)
                .run(
                        "--spring.data.redis.url=" + redis.uri(),
                        "--spring.datasource.url=" + postgres.createDatabase("accounts"),
                        "--spring.datasource.username=" + postgres.username(),
                        "--spring.datasource.password=" + postgres.password(),
                        "--spring.jpa.hibernate.ddl-auto=create",
                        // The first calls of a JVM can take longer than the default.
                        "--usher.redis.command-timeout=5s");
        elsewhere = new JdbcTemplate(application.getBean(DataSource.class));
        accounts = application.getBean(Accounts.class);
        profiles = application.getBean(Caller.class).profiles();
    }

    @AfterAll
    static void stop() {
        application.close();
        redis.close();
    }

    @BeforeEach
    void fill() {
        elsewhere.update("DELETE FROM accounts");
        elsewhere.update("INSERT INTO accounts VALUES (42, 'Ann'), (43, 'Bob')");
        profiles.invalidate(42L);
    }

    @Test
    void entitiesAreReadByTheirIds() throws Exception {
        UserSource<Long, String> names = RepositoryUserSource.of(accounts, Account::id, Account::name);

        assertThat(names.load(Set.of(42L, 43L, 44L))).isEqualTo(Map.of(42L, "Ann", 43L, "Bob"));
    }

    /** As Spring Boot has it by default ({@code spring.jpa.open-in-view}): one for the whole request, on its thread. */
    @Test
    void anEntityThatTheRequestHasSeenBeforeTheChangeIsNotWhatEverybodyIsTold() {
        EntityManagerFactory factory = application.getBean(EntityManagerFactory.class);
        EntityManagerHolder inView = new EntityManagerHolder(factory.createEntityManager());
        TransactionSynchronizationManager.bindResource(factory, inView);
        try {
            assertThat(accounts.findById(42L)).get().extracting(Account::name).isEqualTo("Ann");
            elsewhere.update("UPDATE accounts SET name = 'Anna' WHERE id = 42");
            profiles.invalidate(42L);

            assertThat(profiles.find(42L)).get().extracting(UserProfile::name).isEqualTo("Anna");
            assertThat(accounts.findById(42L))
                    .as("what the request has seen is still its own")
                    .get()
                    .extracting(Account::name)
                    .isEqualTo("Ann");
        } finally {
            TransactionSynchronizationManager.unbindResource(factory);
            inView.getEntityManager().close();
        }
    }

    record Caller(UserProfileCache<Long> profiles) {}

    @Entity
    @Table(name = "accounts")
    static class Account {

        @Id
        private long id;

        @Column(nullable = false)
        private String name = "";

        long id() {
            return id;
        }

        String name() {
            return name;
        }

        UserProfile profile() {
            return UserProfile.ofNullable(null, name, null, false, null, null);
        }
    }

    interface Accounts extends CrudRepository<Account, Long> {}

    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration({
        DataSourceAutoConfiguration.class,
        HibernateJpaAutoConfiguration.class,
        TransactionAutoConfiguration.class,
        DataJpaRepositoriesAutoConfiguration.class,
        UsherAutoConfiguration.class
    })
    @EntityScan(basePackageClasses = Account.class)
    @EnableJpaRepositories(basePackageClasses = Accounts.class, considerNestedRepositories = true)
    static class Application {

        @Bean
        UserSource<Long, UserProfile> profilesOfAccounts(Accounts accounts) {
            return RepositoryUserSource.of(accounts, Account::id, Account::profile);
        }

        @Bean
        Caller caller(UserProfileCache<Long> profiles) {
            return new Caller(profiles);
        }
    }
}
