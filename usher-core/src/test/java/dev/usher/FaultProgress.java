package dev.usher;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * The progress of a run of faults: a bar on a terminal, and without one a line for each fault.
 */
sealed interface FaultProgress extends AutoCloseable {

    /** The next fault begins. */
    void begin(Fault fault);

    /** The fault is done. */
    void step();

    @Override
    void close();

    static FaultProgress of(List<Fault> faults) {
        try {
            // Written past Maven, which passes on the output of tests line by line.
            PrintStream terminal = new PrintStream(new FileOutputStream("/dev/tty"), true, StandardCharsets.UTF_8);
            return new Bar(faults.size(), terminal);
        } catch (IOException e) {
            return new Lines(faults.size());
        }
    }

    /** The progress on a terminal. */
    final class Bar implements FaultProgress {

        private static final int UPDATE_MILLIS = 200;
        private static final int WIDTH = 119;

        private final PrintStream terminal;
        private final ProgressBar bar;

        private Bar(int steps, PrintStream terminal) {
            this.terminal = terminal;
            this.bar = ProgressBar.builder()
                    .setTaskName("faults")
                    .setInitialMax(steps)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(UPDATE_MILLIS)
                    .setConsumer(new ConsoleProgressBarConsumer(terminal, WIDTH))
                    .clearDisplayOnFinish()
                    .build();
        }

        @Override
        public void begin(Fault fault) {
            bar.setExtraMessage(fault.toString());
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

        private final int steps;
        private final AtomicInteger done = new AtomicInteger();

        private Lines(int steps) {
            this.steps = steps;
        }

        @Override
        public void begin(Fault fault) {
            System.out.printf(Locale.ROOT, "fault %d of %d: %s%n", done.get() + 1, steps, fault);
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
