package dev.usher.relay;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A statement that a binlog holds as its text, and what it means for watched tables. Rows are logged as rows; texts are left for transactions, for changes of
 * tables, and for sessions that log statements. A text that is not understood is in doubt.
 *
 * @param effect on watched tables and on the transaction
 * @param detail the table, or why it is in doubt, or the name of the XA transaction; nothing of the statement's values
 */
record BinlogStatement(Effect effect, String detail) {

    enum Effect {
        /** None that matters. */
        NONE,
        /** A transaction begins. */
        BEGIN,
        /** A transaction ends. */
        END,
        /** A part of an XA transaction ends, and will be prepared. */
        XA_END,
        /** An XA transaction is committed. */
        XA_COMMIT,
        /** An XA transaction is rolled back. */
        XA_ROLLBACK,
        /** A watched table is emptied. */
        EMPTIED,
        /** A watched table is altered, dropped, renamed or replaced. */
        ALTERED,
        /** Another table is made, altered or dropped. */
        OTHER_TABLE,
        /** It may have changed rows of any table. */
        DOUBTFUL
    }

    private static final Set<String> HARMLESS = Set.of(
            "GRANT",
            "REVOKE",
            "ANALYZE",
            "OPTIMIZE",
            "REPAIR",
            "CHECK",
            "FLUSH",
            "SAVEPOINT",
            "RELEASE",
            "SET",
            "INSTALL",
            "UNINSTALL",
            "USE",
            "LOCK",
            "UNLOCK");

    private static final Set<String> DEFINING = Set.of("CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE");
    private static final Set<String> WRITING = Set.of("INSERT", "REPLACE", "UPDATE", "DELETE");

    /** What a statement of the data definition is about, if not a table or a database. None of these changes rows. */
    private static final Set<String> OTHER_OBJECTS = Set.of(
            "USER",
            "ROLE",
            "FUNCTION",
            "PROCEDURE",
            "PACKAGE",
            "EVENT",
            "TRIGGER",
            "VIEW",
            "INDEX",
            "SERVER",
            "TABLESPACE",
            "LOGFILE",
            "UNDO",
            "INSTANCE",
            "RESOURCE");

    private static final BinlogStatement NOTHING = new BinlogStatement(Effect.NONE, "");

    /** A word or a sign; a word in quotes is never a keyword. */
    private record Token(String text, boolean isWord, boolean isQuoted) {

        boolean is(String keyword) {
            return isWord && !isQuoted && text.equalsIgnoreCase(keyword);
        }

        String upper() {
            return isQuoted ? "" : text.toUpperCase(Locale.ROOT);
        }
    }

    /**
     * Reads a text.
     *
     * @param sql as it is logged
     * @param database the default one of the session
     * @param tables the watched ones
     */
    static BinlogStatement of(String sql, String database, Collection<WatchedTable> tables) {
        List<Token> tokens = tokensOf(sql);
        if (tokens.size() > 1 && tokens.get(0).is("SET") && tokens.get(1).is("STATEMENT")) {
            for (int i = 2; i < tokens.size(); i++) {
                if (tokens.get(i).is("FOR")) {
                    tokens = tokens.subList(i + 1, tokens.size());
                    break;
                }
            }
        }
        if (tokens.isEmpty()) {
            return NOTHING;
        }
        String verb = tokens.get(0).upper();
        String second = tokens.size() > 1 ? tokens.get(1).upper() : "";
        return switch (verb) {
            case "BEGIN" -> new BinlogStatement(Effect.BEGIN, "");
            case "START" -> second.equals("TRANSACTION") ? new BinlogStatement(Effect.BEGIN, "") : NOTHING;
            case "COMMIT" -> new BinlogStatement(Effect.END, "");
            case "ROLLBACK" ->
                tokens.stream().anyMatch(token -> token.is("TO")) ? NOTHING : new BinlogStatement(Effect.END, "");
            case "XA" -> xa(second, sql);
            default -> change(verb, tokens, database, tables);
        };
    }

    private static BinlogStatement change(
            String verb, List<Token> tokens, String database, Collection<WatchedTable> tables) {
        if (HARMLESS.contains(verb)) {
            return NOTHING;
        }
        if (DEFINING.contains(verb)) {
            return definition(verb, tokens, database, tables);
        }
        if (WRITING.contains(verb) && isOfTheServer(tokens)) {
            return NOTHING;
        }
        return new BinlogStatement(
                Effect.DOUBTFUL,
                "a statement is in the log as its text, and may have changed any row: a session has another binlog_format than ROW");
    }

    private static BinlogStatement xa(String second, String sql) {
        String name = sql.strip().replaceFirst("(?i)^XA\\s+\\w+\\s+", "").replaceAll("\\s", "");
        return switch (second) {
            case "END" -> new BinlogStatement(Effect.XA_END, name);
            case "COMMIT" -> new BinlogStatement(Effect.XA_COMMIT, name);
            case "ROLLBACK" -> new BinlogStatement(Effect.XA_ROLLBACK, name);
            default -> NOTHING;
        };
    }

    private static BinlogStatement definition(
            String verb, List<Token> tokens, String database, Collection<WatchedTable> tables) {
        int object = 1;
        while (object < tokens.size() && !isObject(tokens.get(object))) {
            object++;
        }
        String kind = object < tokens.size() ? tokens.get(object).upper() : "";
        if (OTHER_OBJECTS.contains(kind) && !verb.equals("TRUNCATE")) {
            return NOTHING;
        }
        if (kind.equals("DATABASE") || kind.equals("SCHEMA")) {
            if (verb.equals("DROP")) {
                for (WatchedTable table : tables) {
                    if (tokens.stream().anyMatch(token -> token.text().equalsIgnoreCase(table.schema()))) {
                        return new BinlogStatement(Effect.ALTERED, table.qualifiedName());
                    }
                }
            }
            return NOTHING;
        }
        if ((verb.equals("DROP") || verb.equals("CREATE"))
                && tokens.subList(1, Math.min(object, tokens.size())).stream()
                        .anyMatch(token -> token.is("TEMPORARY"))) {
            return NOTHING;
        }
        WatchedTable table = mentioned(tokens, database, tables);
        if (table == null) {
            return verb.equals("TRUNCATE") ? NOTHING : new BinlogStatement(Effect.OTHER_TABLE, "");
        }
        return new BinlogStatement(verb.equals("TRUNCATE") ? Effect.EMPTIED : Effect.ALTERED, table.qualifiedName());
    }

    private static boolean isObject(Token token) {
        String word = token.isWord() ? token.upper() : "";
        return word.equals("TABLE")
                || word.equals("TABLES")
                || word.equals("DATABASE")
                || word.equals("SCHEMA")
                || word.equals("SEQUENCE")
                || OTHER_OBJECTS.contains(word);
    }

    /** The first watched table whose name stands anywhere in the statement. */
    private static @Nullable WatchedTable mentioned(
            List<Token> tokens, String database, Collection<WatchedTable> tables) {
        for (int i = 0; i < tokens.size(); i++) {
            Token token = tokens.get(i);
            for (WatchedTable table : tables) {
                if (!token.isWord() || !token.text().equalsIgnoreCase(table.name())) {
                    continue;
                }
                boolean isQualified = i > 1 && tokens.get(i - 1).text().equals(".");
                String schema = isQualified ? tokens.get(i - 2).text() : database;
                if (schema.equalsIgnoreCase(table.schema())) {
                    return table;
                }
            }
        }
        return null;
    }

    /** Whether it writes into a table of the server's own database, as clouds do to measure replicas. */
    private static boolean isOfTheServer(List<Token> tokens) {
        for (int i = 1; i + 1 < tokens.size() && i < 6; i++) {
            if (tokens.get(i + 1).text().equals(".")) {
                return tokens.get(i).text().equalsIgnoreCase("mysql")
                        && tokens.stream()
                                        .filter(token -> token.text().equals("."))
                                        .count()
                                == 1;
            }
        }
        return false;
    }

    /** Words, names in quotes, and signs; without comments, texts and numbers. What stands in a comment that MariaDB or MySQL executes is read. */
    private static List<Token> tokensOf(String sql) {
        List<Token> tokens = new ArrayList<>();
        int i = 0;
        int length = sql.length();
        while (i < length) {
            char c = sql.charAt(i);
            if (Character.isWhitespace(c)) {
                i++;
            } else if (c == '#' || (sql.startsWith("--", i) && (i + 2 >= length || sql.charAt(i + 2) <= ' '))) {
                int end = sql.indexOf('\n', i);
                i = end < 0 ? length : end + 1;
            } else if (sql.startsWith("/*!", i) || sql.startsWith("/*M!", i)) {
                i += sql.charAt(i + 2) == '!' ? 3 : 4;
                while (i < length && Character.isDigit(sql.charAt(i))) {
                    i++;
                }
            } else if (sql.startsWith("/*", i)) {
                int end = sql.indexOf("*/", i + 2);
                i = end < 0 ? length : end + 2;
            } else if (sql.startsWith("*/", i)) {
                i += 2;
            } else if (c == '`' || c == '"' || c == '\'') {
                StringBuilder text = new StringBuilder();
                i = quoted(sql, i, text);
                if (c != '\'') {
                    tokens.add(new Token(text.toString(), true, true));
                }
            } else if (isOfAWord(c)) {
                int from = i;
                while (i < length && isOfAWord(sql.charAt(i))) {
                    i++;
                }
                tokens.add(new Token(sql.substring(from, i), true, false));
            } else {
                tokens.add(new Token(String.valueOf(c), false, false));
                i++;
            }
        }
        return tokens;
    }

    private static boolean isOfAWord(char c) {
        return Character.isLetterOrDigit(c) || c == '_' || c == '$' || c >= 0x80;
    }

    /** Reads up to the closing quote, and returns what is behind it. */
    private static int quoted(String sql, int from, StringBuilder text) {
        char quote = sql.charAt(from);
        int i = from + 1;
        while (i < sql.length()) {
            char c = sql.charAt(i);
            if (c == '\\' && quote != '`' && i + 1 < sql.length()) {
                text.append(sql.charAt(i + 1));
                i += 2;
            } else if (c == quote) {
                if (i + 1 < sql.length() && sql.charAt(i + 1) == quote) {
                    text.append(c);
                    i += 2;
                } else {
                    return i + 1;
                }
            } else {
                text.append(c);
                i++;
            }
        }
        return i;
    }
}
