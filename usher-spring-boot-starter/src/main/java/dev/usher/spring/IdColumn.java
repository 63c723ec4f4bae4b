package dev.usher.spring;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * How users are looked up in a column, and how their ids are read from it, by the column's actual type. Combinations of an id
 * class and a column type that are not listed here are refused: the database would find nothing, or compare by its own rules.
 *
 * @param <K> the type of the ids
 */
final class IdColumn<K> {

    /** How a column represents ids. */
    private enum Form {
        NUMBER {
            @Override
            List<Object> spellingsOf(Object id) {
                return List.of(id);
            }

            @Override
            @Nullable Object read(ResultSet row, Class<?> idClass) throws SQLException {
                // BigDecimal holds any number: an unsigned one, or one with a scale, may not fit a long.
                BigDecimal number = row.getBigDecimal(1);
                if (number == null) {
                    return null;
                }
                try {
                    return idClass == Long.class ? (Object) number.longValueExact() : (Object) number.intValueExact();
                } catch (ArithmeticException e) {
                    return null;
                }
            }
        },
        TEXT {
            @Override
            List<Object> spellingsOf(Object id) {
                return List.of(id);
            }

            @Override
            @Nullable Object read(ResultSet row, Class<?> idClass) throws SQLException {
                // A fixed-width column pads its values, and no id ends with a space.
                String text = row.getString(1);
                return text == null ? null : text.stripTrailing();
            }
        },
        UUID {
            @Override
            List<Object> spellingsOf(Object id) {
                return List.of(id);
            }

            @Override
            @Nullable Object read(ResultSet row, Class<?> idClass) throws SQLException {
                return row.getObject(1) instanceof UUID id ? id : UuidText.parse(row.getString(1));
            }
        },
        /** For drivers that accept a text for a UUID. The database compares UUIDs, whatever the spelling. */
        UUID_BY_TEXT {
            @Override
            List<Object> spellingsOf(Object id) {
                return List.of(id.toString());
            }

            @Override
            @Nullable Object read(ResultSet row, Class<?> idClass) throws SQLException {
                return UuidText.parse(row.getString(1));
            }
        },
        UUID_AS_TEXT {
            @Override
            List<Object> spellingsOf(Object id) {
                return UuidText.spellingsOf((UUID) id);
            }

            @Override
            @Nullable Object read(ResultSet row, Class<?> idClass) throws SQLException {
                return UuidText.parse(row.getString(1));
            }
        },
        UUID_AS_BYTES {
            @Override
            List<Object> spellingsOf(Object id) {
                return List.of(UuidBytes.of((UUID) id));
            }

            @Override
            @Nullable Object read(ResultSet row, Class<?> idClass) throws SQLException {
                return UuidBytes.parse(row.getBytes(1));
            }
        };

        abstract List<Object> spellingsOf(Object id);

        abstract @Nullable Object read(ResultSet row, Class<?> idClass) throws SQLException;
    }

    private final Class<K> idClass;
    private final Form form;
    private final boolean isPadded;

    private IdColumn(Class<K> idClass, Form form, boolean isPadded) {
        this.idClass = idClass;
        this.form = form;
        this.isPadded = isPadded;
    }

    /** The column for ids of a class, or {@code null} if such ids cannot be looked up in it. */
    static <K> @Nullable IdColumn<K> of(Class<K> idClass, ColumnType column) {
        Form form = formOf(UserIdType.of(idClass), column);
        return form == null ? null : new IdColumn<>(idClass, form, column.isPadded());
    }

    private static @Nullable Form formOf(UserIdType ids, ColumnType column) {
        return switch (ids) {
            case LONG, INTEGER -> column.kind() == ColumnType.Kind.NUMBER ? Form.NUMBER : null;
            case STRING -> column.kind() == ColumnType.Kind.TEXT ? Form.TEXT : null;
            case UUID ->
                switch (column.kind()) {
                    case UUID -> column.isOf(UUID.class) ? Form.UUID : Form.UUID_BY_TEXT;
                    case TEXT -> holds(column, UuidText.SHORTEST) ? Form.UUID_AS_TEXT : null;
                    case BYTES -> holds(column, UuidBytes.LENGTH) ? Form.UUID_AS_BYTES : null;
                    default -> null;
                };
        };
    }

    private static boolean holds(ColumnType column, int length) {
        return column.precision() <= 0 || column.precision() >= length;
    }

    /** The type of ids that can be looked up in such a column, or {@code null} if there is none. */
    static @Nullable UserIdType bestFor(ColumnType column) {
        return switch (column.kind()) {
            case NUMBER -> UserIdType.LONG;
            case TEXT -> UserIdType.STRING;
            case UUID -> UserIdType.UUID;
            case BYTES -> holds(column, UuidBytes.LENGTH) ? UserIdType.UUID : null;
            default -> null;
        };
    }

    /** An id as parameters of a statement: one for each spelling. */
    List<Object> spellingsOf(K id) {
        return form.spellingsOf(id);
    }

    /** The id in the first column of a row, or {@code null} if there is none of this class. */
    @Nullable K read(ResultSet row) throws SQLException {
        return idClass.cast(form.read(row, idClass));
    }

    /** Whether a row spells its id in one of the spellings that are looked up. */
    boolean isLookedUpAsIn(ResultSet row, K id) throws SQLException {
        if (form != Form.TEXT && form != Form.UUID_AS_TEXT) {
            return true;
        }
        String text = row.getString(1);
        return form.spellingsOf(id).contains(isPadded ? text.stripTrailing() : text);
    }

    /** Whether the ids are UUIDs whose bytes are stored in another order than they are read. */
    boolean areMisread(List<K> ids) {
        return form == Form.UUID_AS_BYTES
                && UuidBytes.areInAnotherOrder(
                        ids.stream().map(UUID.class::cast).toList());
    }
}
