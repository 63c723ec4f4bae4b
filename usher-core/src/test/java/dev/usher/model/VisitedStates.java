package dev.usher.model;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * The states that were reached, in their order, each with the one that it was reached from. A state is its {@link Packer packed} bits: some 32 bytes with
 * its place in the table.
 */
final class VisitedStates {

    private static final int NONE = -1;

    private long[] firsts = new long[1 << 10];
    private long[] seconds = new long[1 << 10];
    private int[] parents = new int[1 << 10];
    private int[] table = emptyTable(1 << 12);
    private int size;

    /**
     * Adds a state.
     *
     * @param parent the number of the state that it is reached from
     * @return whether it is new
     */
    boolean add(Packer state, int parent) {
        int mask = table.length - 1;
        int at = hash(state.first(), state.second()) & mask;
        for (int found = table[at]; found != NONE; found = table[at]) {
            if (firsts[found] == state.first() && seconds[found] == state.second()) {
                return false;
            }
            at = (at + 1) & mask;
        }
        if (size == firsts.length) {
            firsts = Arrays.copyOf(firsts, size * 2);
            seconds = Arrays.copyOf(seconds, size * 2);
            parents = Arrays.copyOf(parents, size * 2);
        }
        firsts[size] = state.first();
        seconds[size] = state.second();
        parents[size] = parent;
        table[at] = size;
        size++;
        if (size * 2 > table.length) {
            grow();
        }
        return true;
    }

    private void grow() {
        table = emptyTable(table.length * 2);
        int mask = table.length - 1;
        for (int state = 0; state < size; state++) {
            int at = hash(firsts[state], seconds[state]) & mask;
            while (table[at] != NONE) {
                at = (at + 1) & mask;
            }
            table[at] = state;
        }
    }

    private static int[] emptyTable(int length) {
        int[] empty = new int[length];
        Arrays.fill(empty, NONE);
        return empty;
    }

    private static int hash(long first, long second) {
        long hash = first * 0x9e3779b97f4a7c15L + second;
        hash = (hash ^ (hash >>> 32)) * 0xd6e8feb86659fd93L;
        return (int) (hash ^ (hash >>> 32));
    }

    int size() {
        return size;
    }

    boolean isAt(int state, Packer packed) {
        return firsts[state] == packed.first() && seconds[state] == packed.second();
    }

    /** The states from the first one to this one. */
    Deque<Integer> pathTo(int state) {
        Deque<Integer> path = new ArrayDeque<>();
        for (int each = state; each != NONE; each = parents[each]) {
            path.addFirst(each);
        }
        return path;
    }
}
