package dev.usher;

import java.nio.file.Path;

/**
 * The reads of one thread, in their order: the time of each call and of its answer, in {@link System#nanoTime()}, the user and the
 * version.
 */
final class ReadLog {

    /** The answer was the value of no user, or of another one. */
    static final int ANOTHERS_VALUE = -1;

    /** There was no answer, but an exception. */
    static final int UNAVAILABLE = -2;

    private static final int WIDTH = 3;

    private final Rows rows;

    private ReadLog(Rows rows) {
        this.rows = rows;
    }

    static ReadLog inMemory(int capacity) {
        return new ReadLog(Rows.inMemory(WIDTH, capacity));
    }

    static ReadLog create(Path file, int capacity) {
        return new ReadLog(Rows.create(file, WIDTH, capacity));
    }

    static ReadLog open(Path file) {
        return new ReadLog(Rows.open(file, WIDTH));
    }

    void add(long asked, long answered, int id, int version) {
        rows.add(asked, answered, (long) id << Integer.SIZE | (version & 0xffffffffL));
    }

    int size() {
        return rows.size();
    }

    long asked(int row) {
        return rows.get(row, 0);
    }

    long answered(int row) {
        return rows.get(row, 1);
    }

    int id(int row) {
        return (int) (rows.get(row, 2) >> Integer.SIZE);
    }

    int version(int row) {
        return (int) rows.get(row, 2);
    }
}
