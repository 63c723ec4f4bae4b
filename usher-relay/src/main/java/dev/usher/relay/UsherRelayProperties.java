package dev.usher.relay;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The settings under {@code usher.relay}.
 *
 * @param enabled Whether changes of users that no application announces are announced from the log of the database.
 * @param feed Where changes are read: 'log', the log of the database; or 'table', a table that triggers fill, for a database
 *     whose log may not be read.
 * @param changesTable Table that triggers fill, with the feed 'table'.
 * @param url JDBC URL of the database's primary, without a pool in between: of PostgreSQL, MariaDB or MySQL. By default
 *     that of spring.datasource.
 * @param username Role that reads the log: it needs LOGIN, REPLICATION, and SELECT on the table; on MariaDB, REPLICATION
 *     SLAVE, BINLOG MONITOR and SELECT. By default that of spring.datasource.
 * @param password Password of the role. By default that of spring.datasource, if the role is.
 * @param table Table of the users, perhaps with its schema. By default usher.jdbc.table.
 * @param idColumn Column of the user's id. By default that of usher.jdbc.
 * @param statusColumn Column that holds whether the user may act. By default that of usher.jdbc; empty for none.
 * @param enabledValues Texts in that column with which a user may act.
 * @param ignoredColumns Columns that nothing cached depends on, such as the time of the last login.
 * @param slot Name of the replication slot, which the relay makes; on MariaDB and MySQL, of the position in Redis.
 * @param publication Name of the publication of PostgreSQL; nothing elsewhere.
 * @param maxRetained How much of its log PostgreSQL may keep for the relay, before that gives up its position. MariaDB and
 *     MySQL keep none for it.
 */
@ConfigurationProperties("usher.relay")
record UsherRelayProperties(
        @DefaultValue("false") boolean enabled,
        @DefaultValue("log") Feed feed,
        @DefaultValue("usher_changes") String changesTable,
        @Nullable String url,
        @Nullable String username,
        @Nullable String password,
        @Nullable String table,
        @Nullable String idColumn,
        @Nullable String statusColumn,
        @DefaultValue({"1", "true"}) List<String> enabledValues,
        @DefaultValue List<String> ignoredColumns,
        @DefaultValue("usher") String slot,
        @DefaultValue("usher") String publication,
        @DefaultValue("1GB") DataSize maxRetained) {

    /** Where changes are read. */
    enum Feed {

        /** The log of the database. */
        LOG,

        /** A table that triggers fill. */
        TABLE
    }

    /** Without the password, and without the URL, which may hold one. */
    @Override
    public String toString() {
        return "UsherRelayProperties[enabled=" + enabled + ", feed=" + feed + ", username=" + username + ", table="
                + table + ", slot=" + slot + ", publication=" + publication + "]";
    }
}
