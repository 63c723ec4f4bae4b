package dev.usher;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * The progress of a run of trials: a bar on a terminal, and without one a line for each of them.
 */
sealed interface FaultProgress extends AutoCloseable {

    /** The next one begins. */
    void begin(Object trial);

    /** It is done. */
    void step();

    @Override
    void close();

    /**
     * The progress of some trials.
     *
     * @param what they are, in a word
     */
    static FaultProgress of(String what, int steps) {
        try {
            // Written past Maven, which passes on the output of tests line by line.
            PrintStream terminal = new PrintStream(new FileOutputStream("/dev/tty"), true, StandardCharsets.UTF_8);
            return new Bar(what, steps, terminal);
        } catch (IOException e) {
            return new Lines(what, steps);
        }
    }

    /** The progress on a terminal. */
    final class Bar implements FaultProgress {

        private static final int UPDATE_MILLIS = 200;
        private static final int WIDTH = 119;

        private final PrintStream terminal;
        private final ProgressBar bar;

        private Bar(String what, int steps, PrintStream terminal) {
            this.terminal = terminal;
            this.bar = ProgressBar.builder()
                    .setTaskName(what)
                    .setInitialMax(steps)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(UPDATE_MILLIS)
                    .setConsumer(new ConsoleProgressBarConsumer(terminal, WIDTH))
                    .clearDisplayOnFinish()
                    .build();
        }

        @Override
        public void begin(Object trial) {
            bar.setExtraMessage(trial.toString());
        }

        @Override
        public void step() {
            bar.step();
        }

        @Override
        public void close() {
            bar.close();
            terminal.close();
        }
    }

    /** The progress without a terminal. */
    final class Lines implements FaultProgress {

        private final String what;
        private final int steps;
        private final AtomicInteger done = new AtomicInteger();

        private Lines(String what, int steps) {
            this.what = what;
            this.steps = steps;
        }

        @Override
        public void begin(Object trial) {
            System.out.printf(Locale.ROOT, "%s, %d of %d: %s%n", what, done.get() + 1, steps, trial);
        }

        @Override
        public void step() {
            done.incrementAndGet();
        }

        @Override
        public void close() {
            // There is nothing to close.
        }
    }
}
