package dev.usher.spring;

import java.time.Duration;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.core.env.Environment;

/**
 * The settings under {@code usher.jdbc}: the table of users, for applications without their own query. Names are plain, or
 * quoted in the way of the database; any other text is refused with the name of its property.
 *
 * @param table Table or view of the users, perhaps with its schema. Once it is set, users are read from it, unless the
 *     application declares a UserSource.
 * @param idType Type of the ids. By default that of the application's own source of profiles or statuses, or else long.
 * @param columns Names of the columns.
 * @param queryTimeout How long a query may run; rounded up to whole seconds.
 * @param dataSource Name of the DataSource bean, where there are several and none is primary. It must lead to the database's
 *     primary.
 * @param checkAtStart Whether the start fails when a table does not fit its settings, this one or that of a
 *     JdbcUserSource bean. Otherwise it is checked before its first load.
 */
@ConfigurationProperties("usher.jdbc")
record UsherJdbcProperties(
        @DefaultValue("") String table,
        @Nullable UserIdType idType,
        @DefaultValue Columns columns,
        @DefaultValue("2s") Duration queryTimeout,
        @Nullable String dataSource,
        @DefaultValue("true") boolean checkAtStart) {

    /**
     * The names of the columns. An empty name means that the table has no such column.
     *
     * @param id Column of the id, which is unique.
     * @param mobile Column of the mobile number.
     * @param name Column of the name that others see.
     * @param profilePhoto Column of the photo's address.
     * @param isMedia Column that holds whether it is a media account: a boolean, or 1 and 0.
     * @param introduction Column of the introduction.
     * @param certificate Column of the certificate.
     * @param status Column that holds whether the user may act: 1 or true, 0 or false. Empty for a table without such a column.
     */
    record Columns(
            @DefaultValue("id") String id,
            @DefaultValue("mobile") String mobile,
            @DefaultValue("name") String name,
            @DefaultValue("profile_photo") String profilePhoto,
            @DefaultValue("is_media") String isMedia,
            @DefaultValue("introduction") String introduction,
            @DefaultValue("certificate") String certificate,
            @DefaultValue("status") String status) {

        boolean haveStatus() {
            return !status.isEmpty();
        }
    }

    /** Refuses names that must not be put into a statement; the message names the property. */
    UsherJdbcProperties {
        require("table", table, SqlName::isTable, "the name of a table " + SqlName.RULE);
        requireColumn("id", columns.id, SqlName::isColumn);
        requireColumnOrNone("mobile", columns.mobile);
        requireColumnOrNone("name", columns.name);
        requireColumnOrNone("profile-photo", columns.profilePhoto);
        requireColumnOrNone("is-media", columns.isMedia);
        requireColumnOrNone("introduction", columns.introduction);
        requireColumnOrNone("certificate", columns.certificate);
        requireColumnOrNone("status", columns.status);
        require("query-timeout", queryTimeout, timeout -> timeout.compareTo(Duration.ZERO) > 0, "it must be positive");
    }

    static UsherJdbcProperties of(Environment environment) {
        return Binder.get(environment).bindOrCreate("usher.jdbc", UsherJdbcProperties.class);
    }

    private static void requireColumnOrNone(String column, String name) {
        requireColumn(column, name, value -> value.isEmpty() || SqlName.isColumn(value));
    }

    private static void requireColumn(String column, String name, Predicate<String> rule) {
        require("columns." + column, name, rule, "the name of a column " + SqlName.RULE);
    }

    private static <T> void require(String property, T value, Predicate<T> rule, String reason) {
        if (!rule.test(value)) {
            throw new InvalidConfigurationPropertyValueException("usher.jdbc." + property, value, reason);
        }
    }
}
