package dev.usher.server.web;

import dev.usher.server.problem.ProblemType;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;

/**
 * Reads the body of a request without a thread, before any other filter sees the request: it buffers what arrives, and passes the request on
 * when the body is complete. {@link BodyLimit} answers a request whose body is too large or too late.
 *
 * <p>It is the first filter, for requests and for the dispatch after their body. A request without a body passes at once.
 */
final class BodyReader implements Filter {

    /** The request's attribute that says why it has no body: a {@link ProblemType}. */
    static final String PROBLEM = BodyReader.class.getName() + ".PROBLEM";

    private static final String READING = BodyReader.class.getName() + ".READING";

    /** So much of a refused body is read and thrown away, so that a caller that is still sending sees the answer. */
    private static final long MAX_DISCARDED = 16 << 20;

    /** So much of each body is buffered outside the common bound: most bodies are smaller, and no caller can take it from another. */
    private static final int FREE = 4096;

    private static final int FIRST = 512;

    /** The address to dispatch to: every request goes to the servlet of Spring. */
    private static final String EVERYWHERE = "/";

    private final int limit;
    private final Duration timeout;

    /** How many more bytes may be buffered for bodies that are larger than {@link #FREE}. */
    private final AtomicLong room;

    /**
     * A reader.
     *
     * @param limit how large a body may be, in bytes
     * @param timeout the time for a body to arrive
     * @param room how many bytes may be buffered for all large bodies together
     */
    BodyReader(int limit, Duration timeout, long room) {
        this.limit = limit;
        this.timeout = timeout;
        this.room = new AtomicLong(room);
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        HttpServletRequest http = (HttpServletRequest) request;
        if (request.getAttribute(READING) instanceof Reading reading) {
            request.removeAttribute(READING);
            reading.passOn(response, chain);
        } else if (request.getContentLengthLong() > limit) {
            request.setAttribute(PROBLEM, ProblemType.BODY_TOO_LARGE);
            chain.doFilter(new RequestBody(http, new byte[0], 0), response);
            // The caller sees the answer before its end, which waits for the rest of the body: with the end, Tomcat
            // stops
            // reading.
            response.flushBuffer();
            if (request.getContentLengthLong() <= MAX_DISCARDED) {
                new Reading(http, true).begin();
            }
        } else if (request.getContentLengthLong() > 0 || http.getHeader(HttpHeaders.TRANSFER_ENCODING) != null) {
            new Reading(http, false).begin();
        } else {
            chain.doFilter(request, response);
        }
    }

    /** One body that is being received. The container calls one method after the other. */
    private final class Reading implements ReadListener, AsyncListener {

        private final HttpServletRequest request;
        private final ServletInputStream in;
        private final AsyncContext async;

        /** Whether the caller has the answer, and only the rest of the body is to be read. */
        private final boolean answered;

        private byte[] bytes = new byte[FIRST];
        private int length;
        private long held;
        private long discarded;
        private boolean discarding;
        private boolean ended;
        private @Nullable ProblemType problem;

        Reading(HttpServletRequest request, boolean answered) throws IOException {
            this.request = request;
            this.answered = answered;
            this.discarding = answered;
            this.in = request.getInputStream();
            this.async = request.startAsync();
        }

        void begin() {
            request.setAttribute(READING, this);
            async.setTimeout(timeout.toMillis());
            async.addListener(this);
            in.setReadListener(this);
        }

        void passOn(ServletResponse response, FilterChain chain) throws IOException, ServletException {
            if (problem != null) {
                request.setAttribute(PROBLEM, problem);
                length = 0;
            }
            chain.doFilter(new RequestBody(request, bytes, length), response);
        }

        @Override
        public void onDataAvailable() throws IOException {
            while (!ended && in.isReady()) {
                if (!discarding && length == bytes.length) {
                    grow();
                }
                int start = discarding ? 0 : length;
                int count = in.read(bytes, start, bytes.length - start);
                if (count < 0) {
                    return;
                }
                take(count);
            }
        }

        private void take(int count) {
            if (discarding) {
                discarded += count;
                if (discarded > MAX_DISCARDED) {
                    end();
                }
                return;
            }
            length += count;
            if (length > limit) {
                discard(ProblemType.BODY_TOO_LARGE);
            }
        }

        /** Up to one byte more than a body may have, to notice a body that is too large. */
        private void grow() {
            int size = Math.min(bytes.length * 2, limit + 1);
            if (size > FREE) {
                long more = (long) size - Math.max(bytes.length, FREE);
                if (room.addAndGet(-more) < 0) {
                    room.addAndGet(more);
                    discard(ProblemType.UNAVAILABLE);
                    return;
                }
                held += more;
            }
            byte[] larger = new byte[size];
            System.arraycopy(bytes, 0, larger, 0, length);
            bytes = larger;
        }

        private void discard(ProblemType why) {
            problem = why;
            discarding = true;
            release();
            bytes = new byte[FREE];
            length = 0;
        }

        private void release() {
            room.addAndGet(held);
            held = 0;
        }

        @Override
        public void onAllDataRead() {
            end();
        }

        private void end() {
            if (ended) {
                return;
            }
            ended = true;
            if (answered) {
                async.complete();
            } else {
                async.dispatch(EVERYWHERE);
            }
        }

        @Override
        public void onTimeout(AsyncEvent event) {
            problem = problem == null ? ProblemType.REQUEST_TIMEOUT : problem;
            end();
        }

        /** The connection is lost: the container reports the end of the request as well. */
        @Override
        public void onError(Throwable failure) {
            ended = true;
        }

        @Override
        public void onError(AsyncEvent event) {
            ended = true;
            async.complete();
        }

        @Override
        public void onComplete(AsyncEvent event) {
            release();
        }

        /** {@link AnswerWriter} sends the answer asynchronously: the container reports no more of the body then. */
        @Override
        public void onStartAsync(AsyncEvent event) {
            release();
        }
    }
}
