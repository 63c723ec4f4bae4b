package dev.usher.server.web;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.coyote.AbstractProcessor;
import org.apache.coyote.Processor;
import org.apache.coyote.http11.Http11NioProtocol;
import org.apache.coyote.http11.Http11Processor;
import org.apache.tomcat.util.net.AbstractEndpoint.Handler.SocketState;
import org.apache.tomcat.util.net.NioChannel;
import org.apache.tomcat.util.net.NioEndpoint.NioSocketWrapper;
import org.apache.tomcat.util.net.SocketEvent;
import org.apache.tomcat.util.net.SocketWrapperBase;
import org.jspecify.annotations.Nullable;

/**
 * Tomcat's HTTP with a deadline for the whole head of a request. Tomcat parses heads without a thread, but limits only the silence between two
 * bytes.
 *
 * <p>It stops after the answers are sent: Tomcat would close a connection whose answer is made and not sent yet.
 *
 * <p>Public only because Tomcat creates it by its name.
 */
public final class TimedHttpProtocol extends Http11NioProtocol {

    private static final Duration PERIOD = Duration.ofMillis(500);

    /** How long the stop waits for answers that are being sent. */
    private static final Duration LAST_ANSWERS = Duration.ofSeconds(2);

    private static final Duration PAUSE = Duration.ofMillis(5);

    private Duration headTimeout = Duration.ofSeconds(5);
    private @Nullable ScheduledFuture<?> sweeping;

    /** The time for a head to arrive, counted from its first byte. */
    void setHeadTimeout(Duration headTimeout) {
        this.headTimeout = headTimeout;
    }

    /** While a body is awaited, only its own deadline counts, since that is answered. */
    @Override
    protected Processor createProcessor() {
        return new Http11Processor(this, getAdapter()) {
            private volatile @Nullable Thread processing;

            @Override
            public SocketState process(SocketWrapperBase<?> connection, SocketEvent event) throws IOException {
                processing = Thread.currentThread();
                try {
                    SocketState state = super.process(connection, event);
                    if (state == SocketState.LONG && isAsync()) {
                        connection.setReadTimeout(-1);
                    }
                    return state;
                } finally {
                    processing = null;
                }
            }

            // Left to process() where it has led here, as when the end of a chunked body comes in pieces: Tomcat
            // would begin another processor, which takes the rest of that body for a request.
            @Override
            protected void executeDispatches() {
                if (!Thread.currentThread().equals(processing)) {
                    super.executeDispatches();
                }
            }
        };
    }

    @Override
    public void start() throws Exception {
        super.start();
        sweeping = getUtilityExecutor()
                .scheduleWithFixedDelay(this::sweep, PERIOD.toMillis(), PERIOD.toMillis(), TimeUnit.MILLISECONDS);
    }

    @Override
    public void stop() throws Exception {
        if (sweeping != null) {
            sweeping.cancel(false);
        }
        long deadline = System.nanoTime() + LAST_ANSWERS.toNanos();
        while (isBusy() && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(PAUSE.toNanos());
        }
        super.stop();
    }

    /** A thread that works for a connection holds its lock until the answer is written. */
    private boolean isBusy() {
        return getEndpoint().getConnections().stream()
                .anyMatch(connection -> connection.getLock().isLocked());
    }

    private void sweep() {
        for (SocketWrapperBase<NioChannel> connection : getEndpoint().getConnections()) {
            try {
                closeIfLate(connection);
            } catch (RuntimeException e) {
                // The connection has been closed meanwhile; the others are still to be checked.
                getLog().debug("A connection could not be checked", e);
            }
        }
    }

    /** Under the connection's lock, so that no thread begins to work for it meanwhile. It does not wait for a locked connection. */
    private void closeIfLate(SocketWrapperBase<NioChannel> connection) {
        if (!isLate(connection) || !connection.getLock().tryLock()) {
            return;
        }
        try {
            if (isLate(connection)) {
                connection.close();
            }
        } finally {
            connection.getLock().unlock();
        }
    }

    private boolean isLate(SocketWrapperBase<NioChannel> connection) {
        Object processor = connection.getCurrentProcessor();
        if (processor instanceof AbstractProcessor http) {
            // Between the events of a request that is not asynchronous, its head is incomplete.
            long begin = http.getRequest().getStartTimeNanos();
            return !http.isAsync() && !http.isUpgrade() && begin > 0 && isOver(headTimeout, System.nanoTime() - begin);
        }
        // Without a byte of a head: empty lines or a handshake must not keep the connection open for longer than
        // silence does.
        return processor == null
                && connection instanceof NioSocketWrapper idle
                && idle.getReadTimeout() > 0
                && isOver(
                        headTimeout.plusMillis(idle.getReadTimeout()),
                        TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis() - idle.getLastWrite()));
    }

    private static boolean isOver(Duration limit, long nanos) {
        return nanos > limit.toNanos();
    }
}
