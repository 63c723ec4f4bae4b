package dev.usher.cli;

import java.io.Console;
import java.io.PrintStream;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarStyle;

/** Shows how far a long command has come: as a bar on a terminal, as a line per part elsewhere. Thread-safe. */
sealed interface Progress extends AutoCloseable {

    /** A part begins. */
    void begin(String part);

    /** A step of all steps is done. */
    void step();

    @Override
    void close();

    static Progress of(long steps, PrintStream output) {
        return isTerminal() ? new Bar(steps, output) : new Lines(output);
    }

    @SuppressWarnings("SystemConsoleNull") // the method below handles its meaning
    private static boolean isTerminal() {
        Console console = System.console();
        if (console == null) {
            return false;
        }
        try {
            return (boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (ReflectiveOperationException e) {
            // Before JDK 22 there was a console on a terminal only.
            return true;
        }
    }

    /** On a terminal. */
    final class Bar implements Progress {

        private static final int UPDATE_MILLIS = 100;
        private static final int WIDTH = 79;

        private final ProgressBar bar;

        private Bar(long steps, PrintStream output) {
            bar = ProgressBar.builder()
                    .setTaskName("demo")
                    .setInitialMax(steps)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(UPDATE_MILLIS)
                    // The default consumer uses JLine, which takes Ctrl-C away from the JVM: it would end without its
                    // shutdown hooks.
                    .setConsumer(new ConsoleProgressBarConsumer(output, WIDTH))
                    .clearDisplayOnFinish()
                    .build();
        }

        @Override
        public void begin(String part) {
            bar.setExtraMessage(part);
        }

        @Override
        public void step() {
            bar.step();
        }

        @Override
        public void close() {
            bar.close();
        }
    }

    /** Elsewhere. */
    final class Lines implements Progress {

        private final PrintStream output;

        private Lines(PrintStream output) {
            this.output = output;
        }

        @Override
        public void begin(String part) {
            output.println("- " + part);
        }

        @Override
        public void step() {
            // A line for each would be too many.
        }

        @Override
        public void close() {
            // Nothing is kept open.
        }
    }
}
