package dev.usher.spring;

import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Types;
import java.util.Locale;

/**
 * The real type of a column, as the driver says it of a result.
 *
 * @param jdbcType one of {@link Types}
 * @param name what the database calls the type
 * @param precision how many characters or bytes a value has at most; 0, or too much, where the driver does not know
 * @param className the class of which the driver makes the values
 */
record ColumnType(int jdbcType, String name, int precision, String className) {

    /** What can be done with the values of a column. */
    enum Kind {
        /** Exact numbers. */
        NUMBER,
        /** Numbers that are rounded. */
        ROUNDED,
        TEXT,
        UUID,
        BYTES,
        BOOLEAN,
        OTHER
    }

    static ColumnType of(ResultSetMetaData row, int column) throws SQLException {
        return new ColumnType(
                row.getColumnType(column),
                row.getColumnTypeName(column),
                row.getPrecision(column),
                row.getColumnClassName(column));
    }

    Kind kind() {
        // By their names first: JDBC has no type for them, and each driver gives them another one.
        switch (name.toLowerCase(Locale.ROOT)) {
            case "uuid", "uniqueidentifier" -> {
                return Kind.UUID;
            }
            case "citext" -> {
                return Kind.TEXT;
            }
            default -> {}
        }
        return switch (jdbcType) {
            case Types.TINYINT, Types.SMALLINT, Types.INTEGER, Types.BIGINT, Types.NUMERIC, Types.DECIMAL ->
                Kind.NUMBER;
            case Types.REAL, Types.FLOAT, Types.DOUBLE -> Kind.ROUNDED;
            case Types.CHAR, Types.VARCHAR, Types.LONGVARCHAR, Types.NCHAR, Types.NVARCHAR, Types.LONGNVARCHAR ->
                Kind.TEXT;
            case Types.BINARY, Types.VARBINARY, Types.LONGVARBINARY -> Kind.BYTES;
            case Types.BIT, Types.BOOLEAN -> Kind.BOOLEAN;
            default -> Kind.OTHER;
        };
    }

    /** Whether the database fills texts up with spaces, and compares them without. */
    boolean isPadded() {
        return jdbcType == Types.CHAR || jdbcType == Types.NCHAR;
    }

    /** Whether the driver makes objects of a class of the values, and so takes them as parameters too. */
    boolean isOf(Class<?> type) {
        return type.getName().equals(className);
    }
}
