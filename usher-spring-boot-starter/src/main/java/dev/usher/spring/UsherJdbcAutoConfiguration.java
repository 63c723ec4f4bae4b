package dev.usher.spring;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import java.util.function.Function;
import javax.sql.DataSource;
import org.springframework.beans.factory.BeanNotOfRequiredTypeException;
import org.springframework.beans.factory.BeanRegistrar;
import org.springframework.beans.factory.BeanRegistry;
import org.springframework.beans.factory.ListableBeanFactory;
import org.springframework.beans.factory.NoSuchBeanDefinitionException;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.NoneNestedConditions;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.core.ResolvableType;
import org.springframework.core.env.Environment;
import org.springframework.jdbc.core.JdbcTemplate;

/**
 * The sources of profiles and statuses for an application that names its table of users in {@code usher.jdbc.table}, and
 * declares no {@link UserSource} of the facet.
 *
 * <p>They are beans of the type {@code UserSource<Long, UserProfile>}. {@code usher.jdbc.id-type}, or the application's source
 * of the other facet, sets another class of ids, see {@link UserIdClasses}.
 */
@AutoConfiguration(
        before = UsherAutoConfiguration.class,
        afterName = {
            "org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration",
            "org.springframework.boot.jdbc.autoconfigure.JdbcTemplateAutoConfiguration"
        })
@ConditionalOnClass(JdbcTemplate.class)
@ConditionalOnBooleanProperty(name = "usher.enabled", matchIfMissing = true)
@ConditionalOnProperty("usher.jdbc.table")
@EnableConfigurationProperties(UsherJdbcProperties.class)
public final class UsherJdbcAutoConfiguration {

    @Bean
    UsersTable usherUsersTable(
            UsherJdbcProperties settings, ConfigurableListableBeanFactory beans, Environment environment) {
        return new UsersTable(dataSource(settings, beans), settings, UserIdClasses.ofTable(beans, environment));
    }

    private static DataSource dataSource(UsherJdbcProperties settings, ListableBeanFactory beans) {
        String name = settings.dataSource();
        if (name == null) {
            return onlyDataSource(beans);
        }
        try {
            return beans.getBean(name, DataSource.class);
        } catch (NoSuchBeanDefinitionException | BeanNotOfRequiredTypeException e) {
            throw InvalidSetting.of("usher.jdbc.data-source", name, "there is no such DataSource", e);
        }
    }

    private static DataSource onlyDataSource(ListableBeanFactory beans) {
        DataSource only = beans.getBeanProvider(DataSource.class).getIfUnique();
        if (only != null) {
            return only;
        }
        String[] names = beans.getBeanNamesForType(DataSource.class);
        throw new IllegalStateException(
                names.length == 0
                        ? "usher.jdbc.table needs a DataSource, and there is none"
                        : "usher.jdbc.table needs one DataSource, but there are " + String.join(", ", names)
                                + "; name one with usher.jdbc.data-source, or make it the primary one");
    }

    @Configuration(proxyBeanMethods = false)
    @Conditional(NoProfileSource.class)
    @Import(ProfileSource.class)
    static class Profiles {}

    @Configuration(proxyBeanMethods = false)
    @Conditional(NoStatusSource.class)
    @Import(StatusSource.class)
    static class Statuses {}

    static final class NoProfileSource extends NoneNestedConditions {

        NoProfileSource() {
            super(ConfigurationPhase.REGISTER_BEAN);
        }

        @Conditional(OnUserSourceCondition.OfProfiles.class)
        static final class Declared {}
    }

    static final class NoStatusSource extends NoneNestedConditions {

        NoStatusSource() {
            super(ConfigurationPhase.REGISTER_BEAN);
        }

        @Conditional(OnUserSourceCondition.OfStatuses.class)
        static final class Declared {}
    }

    /**
     * Registered in code, because a bean method could not have the type of the source, which contains the type of the ids.
     * {@link UserIdClasses} sets the type once all sources are known.
     */
    static final class ProfileSource implements BeanRegistrar {

        @Override
        public void register(BeanRegistry registry, Environment environment) {
            registerSource(registry, UserIdClasses.TABLE_OF_PROFILES, UserProfile.class, UsersTable::profiles);
        }
    }

    /** Like {@link ProfileSource}, if the table has statuses. */
    static final class StatusSource implements BeanRegistrar {

        @Override
        public void register(BeanRegistry registry, Environment environment) {
            if (UsherJdbcProperties.of(environment).columns().haveStatus()) {
                registerSource(registry, UserIdClasses.TABLE_OF_STATUSES, UserStatus.class, UsersTable::statuses);
            }
        }
    }

    private static <V> void registerSource(
            BeanRegistry registry, String name, Class<V> value, Function<UsersTable, UserSource<?, V>> source) {
        ParameterizedTypeReference<UserSource<?, V>> type = ParameterizedTypeReference.forType(
                ResolvableType.forClassWithGenerics(UserSource.class, Long.class, value)
                        .getType());
        registry.registerBean(
                name, type, bean -> bean.supplier(context -> source.apply(context.bean(UsersTable.class))));
    }
}
