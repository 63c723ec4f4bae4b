package dev.usher.spring;

import java.util.regex.Pattern;

/**
 * The names of tables and columns that may be put into a statement unchanged. In every dialect of SQL, such a name is a single
 * identifier, so a setting cannot inject SQL.
 */
final class SqlName {

    static final String RULE =
            "is plain, of letters, digits, '_' and '$', or quoted, \"…\", `…` or […], then also with spaces";

    private static final String PLAIN = "[\\p{L}_][\\p{L}\\p{N}_$]{0,127}";
    private static final String QUOTABLE = "[\\p{L}\\p{N}_$ ]{1,128}";
    private static final String PART =
            "(?:" + PLAIN + "|\"" + QUOTABLE + "\"|`" + QUOTABLE + "`|\\[" + QUOTABLE + "\\])";
    private static final Pattern COLUMN = Pattern.compile(PART);
    private static final Pattern TABLE = Pattern.compile(PART + "(?:\\." + PART + "){0,2}");

    private SqlName() {}

    /** Whether it is a valid name of a column. */
    static boolean isColumn(String name) {
        return COLUMN.matcher(name).matches();
    }

    /** Whether it is a valid name of a table, optionally qualified by its schema and catalog. */
    static boolean isTable(String name) {
        return TABLE.matcher(name).matches();
    }
}
