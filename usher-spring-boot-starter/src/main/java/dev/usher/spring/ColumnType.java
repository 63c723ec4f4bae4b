package dev.usher.spring;

import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Types;
import java.util.Locale;

/**
 * The actual type of a column, as the driver reports it for a result.
 *
 * @param jdbcType one of {@link Types}
 * @param name the name of the type in the database
 * @param precision the maximum number of characters or bytes of a value; 0 or too large if the driver does not know it
 * @param className the class of the objects that the driver returns
 */
record ColumnType(int jdbcType, String name, int precision, String className) {

    /** The kinds of values that a column can have. */
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
        // By name first: JDBC has no constant for these types, and each driver reports another one.
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

    /** Whether the database pads texts with spaces, and ignores the padding when it compares them. */
    boolean isPadded() {
        return jdbcType == Types.CHAR || jdbcType == Types.NCHAR;
    }

    /** Whether the driver returns values as objects of a class, and so accepts such objects as parameters too. */
    boolean isOf(Class<?> type) {
        return type.getName().equals(className);
    }
}
