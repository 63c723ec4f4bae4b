package dev.usher.spring;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.UUID;

/** What the ids of users are, in Java and in a table. */
enum UserIdType {
    /** A whole number of up to 64 bits. */
    LONG(Long.class) {
        @Override
        Object read(ResultSet row, int column) throws SQLException {
            return row.getLong(column);
        }
    },
    /** A whole number of up to 32 bits. */
    INTEGER(Integer.class) {
        @Override
        Object read(ResultSet row, int column) throws SQLException {
            return row.getInt(column);
        }
    },
    /** A UUID, in a column of that type or of text. */
    UUID(UUID.class) {
        @Override
        Object read(ResultSet row, int column) throws SQLException {
            return row.getObject(column) instanceof UUID id
                    ? id
                    : java.util.UUID.fromString(row.getString(column).strip());
        }
    },
    /** A text. */
    STRING(String.class) {
        @Override
        Object read(ResultSet row, int column) throws SQLException {
            // A column of a fixed width pads what it holds, and no id ends with a space.
            return row.getString(column).stripTrailing();
        }
    };

    private final Class<?> javaType;

    UserIdType(Class<?> javaType) {
        this.javaType = javaType;
    }

    /** The class of such ids. */
    Class<?> javaType() {
        return javaType;
    }

    /** The id in a column that is not null. */
    abstract Object read(ResultSet row, int column) throws SQLException;

    /**
     * The type of ids of a class.
     *
     * @throws IllegalArgumentException when ids are not of that class
     */
    static UserIdType of(Class<?> javaType) {
        for (UserIdType type : values()) {
            if (type.javaType == javaType) {
                return type;
            }
        }
        throw new IllegalArgumentException(
                "a user's id is a Long, an Integer, a UUID or a String, not a " + javaType.getName());
    }
}
