package dev.usher.spring;

import dev.usher.UserProfile;
import dev.usher.UserSource;
import dev.usher.UserStatus;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.dao.TypeMismatchDataAccessException;
import org.springframework.jdbc.core.RowMapper;

/** The application's table of users, as its {@code usher.jdbc} settings describe it. */
final class UsersTable {

    private static final Set<String> TRUE = Set.of("1", "true", "t");
    private static final Set<String> FALSE = Set.of("0", "false", "f");

    private final DataSource dataSource;
    private final UsherJdbcProperties settings;
    private final Class<?> idClass;

    UsersTable(DataSource dataSource, UsherJdbcProperties settings, Class<?> idClass) {
        this.dataSource = dataSource;
        this.settings = settings;
        this.idClass = idClass;
    }

    /** The profiles, by ids of the table's type. */
    UserSource<?, UserProfile> profiles() {
        return profiles(idClass);
    }

    /** The statuses, by ids of the table's type. */
    UserSource<?, UserStatus> statuses() {
        return statuses(idClass);
    }

    /** Reads one column of a row, or returns the default of a column that the table does not have. */
    @FunctionalInterface
    private interface Cell<T> {

        @Nullable T read(ResultSet row) throws SQLException;
    }

    <K> UserSource<K, UserProfile> profiles(Class<K> idType) {
        UsherJdbcProperties.Columns columns = settings.columns();
        Selection selection = new Selection();
        Cell<String> mobile = selection.text("mobile", columns.mobile());
        Cell<String> name = selection.text("name", columns.name());
        Cell<String> photo = selection.text("profile-photo", columns.profilePhoto());
        Cell<Boolean> isMedia = selection.flag("is-media", columns.isMedia());
        Cell<String> intro = selection.text("introduction", columns.introduction());
        Cell<String> certi = selection.text("certificate", columns.certificate());
        return selection.source(
                idType,
                (row, number) -> UserProfile.ofNullable(
                        mobile.read(row),
                        name.read(row),
                        photo.read(row),
                        Boolean.TRUE.equals(isMedia.read(row)),
                        intro.read(row),
                        certi.read(row)));
    }

    <K> UserSource<K, UserStatus> statuses(Class<K> idType) {
        String column = settings.columns().status();
        Selection selection = new Selection();
        Cell<Boolean> enabled = selection.flag("status", column);
        return selection.source(idType, (row, number) -> {
            Boolean value = enabled.read(row);
            if (value == null) {
                // A missing status must not become either of the two.
                throw new TypeMismatchDataAccessException("a user's status is null in the column " + column);
            }
            return value ? UserStatus.ENABLED : UserStatus.DISABLED;
        });
    }

    /** The columns that a facet is read from, in the order in which they were added. */
    private final class Selection {

        private final List<String> names = new ArrayList<>();
        private final Set<String> flags = new HashSet<>();
        private final Map<String, String> settingsOfNames =
                new HashMap<>(Map.of(settings.columns().id(), "usher.jdbc.columns.id"));

        Cell<String> text(String setting, String name) {
            if (name.isEmpty()) {
                return row -> null;
            }
            names.add(name);
            settingsOfNames.putIfAbsent(name, "usher.jdbc.columns." + setting);
            int position = names.size() + 1; // after the id
            return row -> row.getString(position);
        }

        Cell<Boolean> flag(String setting, String name) {
            Cell<String> text = text(setting, name);
            if (!name.isEmpty()) {
                flags.add(name);
            }
            return row -> flagOf(name, text.read(row));
        }

        <K, V> UserSource<K, V> source(Class<K> idType, RowMapper<V> mapper) {
            return JdbcUserSource.builder(dataSource, idType)
                    .table(settings.table())
                    .idColumn(settings.columns().id())
                    .columns(names.toArray(String[]::new))
                    .queryTimeout(settings.queryTimeout())
                    .described(
                            flags, new TableProbe.Settings("usher.jdbc.table", "usher.jdbc.id-type", settingsOfNames))
                    .build(mapper);
        }
    }

    /**
     * Parses a flag from text, because every driver can return booleans and numbers as text. With getBoolean, some drivers
     * return true for any number except 0.
     */
    private static @Nullable Boolean flagOf(String column, @Nullable String text) {
        if (text == null) {
            return null;
        }
        if (isOneOf(TRUE, text)) {
            return true;
        }
        if (isOneOf(FALSE, text)) {
            return false;
        }
        // The message omits the value: the wrong column may have been configured.
        throw new TypeMismatchDataAccessException("neither 1 or true nor 0 or false in the column " + column);
    }

    /** Whether a text is true or false. */
    static boolean isFlag(String text) {
        return isOneOf(TRUE, text) || isOneOf(FALSE, text);
    }

    private static boolean isOneOf(Set<String> texts, String text) {
        return texts.contains(text.strip().toLowerCase(Locale.ROOT));
    }
}
