package dev.usher.benchmarks;

/** The command {@code usher bench}. */
final class BenchCommand {

    private BenchCommand() {}

    public static void main(String[] arguments) {}
}
