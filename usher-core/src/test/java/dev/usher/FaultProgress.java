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
 * How far a run of faults has come: a bar on the terminal of whoever waits for it, and where there is none a line for each
 * fault.
 */
sealed interface FaultProgress extends AutoCloseable {

    /** A fault is next. */
    void begin(Fault fault);

    /** It is done. */
    void step();

    @Override
    void close();

    static FaultProgress of(List<Fault> faults) {
        try {
            // Past Maven, which hands on the output of its tests line by line.
            PrintStream terminal = new PrintStream(new FileOutputStream("/dev/tty"), true, StandardCharsets.UTF_8);
            return new Bar(faults.size(), terminal);
        } catch (IOException e) {
            return new Lines(faults.size());
        }
    }

    /** On a terminal. */
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

    /** Elsewhere. */
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
            // Nothing is kept open.
        }
    }
}
