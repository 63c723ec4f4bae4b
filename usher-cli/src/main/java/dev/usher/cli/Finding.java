package dev.usher.cli;

/**
 * What the demo claims, and whether it has seen it.
 *
 * @param holds whether
 * @param claim what
 */
record Finding(boolean holds, String claim) {

    @Override
    public String toString() {
        return (holds ? "  ok      " : "  FAILED  ") + claim;
    }
}
