package dev.usher;

import io.micrometer.context.ContextSnapshot;
import io.micrometer.context.ContextSnapshotFactory;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * The steps of a read, with what the caller's thread holds for its call: the {@linkplain MDC mapped diagnostic context}, and, where Micrometer's <a
 * href="https://docs.micrometer.io/context-propagation/reference/">context propagation</a> is on the class path, the thread-locals of its registry,
 * such as the current observation. Thread-safe.
 */
final class ContextSteps implements Steps {

    private static final boolean HAS_SNAPSHOTS = hasSnapshots();

    private static final RateLimitedLog contextLog = new RateLimitedLog(LoggerFactory.getLogger(ContextSteps.class));

    private final Steps steps;
    private final Context context;

    private ContextSteps(Steps steps, Context context) {
        this.steps = steps;
        this.context = context;
    }

    /** What a thread holds. */
    @FunctionalInterface
    private interface Context {

        /** Runs a step with it, on another thread, which afterwards holds what it held before. */
        void run(Runnable step);
    }

    /** These steps, with what the calling thread holds now. */
    static Steps captured(Steps steps) {
        @Nullable Context context = HAS_SNAPSHOTS ? Snapshots.captured() : null;
        Map<String, String> mdc = MDC.getCopyOfContextMap();
        if (mdc != null && !mdc.isEmpty()) {
            Context outer = context;
            context = outer == null
                    ? within(mdc)
                    : step -> outer.run(() -> within(mdc).run(step));
        }
        return context == null ? steps : new ContextSteps(steps, context);
    }

    private static Context within(Map<String, String> mdc) {
        return step -> {
            Map<String, String> before = MDC.getCopyOfContextMap();
            MDC.setContextMap(mdc);
            try {
                step.run();
            } finally {
                if (before == null) {
                    MDC.clear();
                } else {
                    MDC.setContextMap(before);
                }
            }
        };
    }

    private static boolean hasSnapshots() {
        try {
            Class.forName("io.micrometer.context.ContextSnapshotFactory", false, ContextSteps.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    /** An optional dependency, linked only where it is there. */
    private static final class Snapshots {

        private static final ContextSnapshotFactory FACTORY =
                ContextSnapshotFactory.builder().build();

        private static Context captured() {
            ContextSnapshot snapshot = FACTORY.captureAll();
            return step -> snapshot.wrap(step).run();
        }
    }

    private static final class Once implements Runnable {

        private final Runnable step;
        private boolean hasBegun;

        private Once(Runnable step) {
            this.step = step;
        }

        @Override
        public void run() {
            if (!hasBegun) {
                hasBegun = true;
                step.run();
            }
        }
    }

    @Override
    public boolean holdThread() {
        return steps.holdThread();
    }

    @Override
    public void execute(Runnable step) {
        steps.execute(() -> {
            Once once = new Once(step);
            try {
                context.run(once);
            } catch (RuntimeException | Error e) {
                contextLog.warn(
                        "What a thread held for its call could not be passed on ({})",
                        e.getClass().getName());
                // Others may wait for it.
                once.run();
            }
        });
    }

    @Override
    public Runnable after(long nanos, Runnable task) {
        return steps.after(nanos, task);
    }
}
