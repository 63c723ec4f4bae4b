package dev.usher.cli;

/**
 * A claim of the demo, and whether it was seen to hold.
 *
 * @param holds whether it holds
 * @param claim the claim, in words
 */
record Finding(boolean holds, String claim) {

    @Override
    public String toString() {
        return (holds ? "  ok      " : "  FAILED  ") + claim;
    }
}
