package dev.usher.server.web;

import dev.usher.server.problem.ProblemType;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.springframework.http.HttpHeaders;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.util.ContentCachingResponseWrapper;

/**
 * Writes large answers without a thread, so that a client that does not read them holds none. All small answers of a connection fit its
 * buffer.
 */
final class AnswerWriter extends OncePerRequestFilter {

    /** The request's attribute that closes its connection without the rest of the answer: a {@link Runnable}. */
    static final String CUT_OFF = AnswerWriter.class.getName() + ".CUT_OFF";

    /** A hundred of them, as many as Tomcat answers on a connection, fit its buffer. */
    private static final int SMALL = 2048;

    private final Duration timeout;
    private final ProblemResponses problems;

    /** How many more bytes of large answers may be on their way. */
    private final AtomicLong room;

    /**
     * A writer.
     *
     * @param timeout within what time a client has to take a large answer
     * @param room how many bytes of large answers may be on their way at a time
     */
    AnswerWriter(Duration timeout, long room, ProblemResponses problems) {
        this.timeout = timeout;
        this.room = new AtomicLong(room);
        this.problems = problems;
    }

    /** Leaves alone an answer behind which {@link BodyReader} goes on reading: it must not end. */
    @Override
    protected boolean shouldNotFilter(HttpServletRequest request) {
        return request.getAttribute(BodyReader.PROBLEM) != null;
    }

    @Override
    protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws ServletException, IOException {
        ContentCachingResponseWrapper answer = new ContentCachingResponseWrapper(response);
        chain.doFilter(request, answer);
        if (response.isCommitted() || answer.getContentSize() <= SMALL || request.isAsyncStarted()) {
            answer.copyBodyToResponse();
            return;
        }
        byte[] body = answer.getContentAsByteArray();
        if (room.addAndGet(-body.length) < 0) {
            room.addAndGet(body.length);
            problems.send(response, ProblemType.UNAVAILABLE);
            return;
        }
        response.setHeader(HttpHeaders.CONTENT_LENGTH, Integer.toString(body.length));
        AsyncContext async = request.startAsync();
        async.setTimeout(timeout.toMillis());
        Writing writing = new Writing(body, response.getOutputStream(), async, (Runnable)
                Objects.requireNonNull(request.getAttribute(CUT_OFF)));
        async.addListener(writing);
        response.getOutputStream().setWriteListener(writing);
    }

    /** One answer, on its way. The container calls one method after the other. */
    private final class Writing implements WriteListener, AsyncListener {

        private static final int PART = 8192;

        private final byte[] body;
        private final ServletOutputStream out;
        private final AsyncContext async;
        private final Runnable cutOff;
        private int written;

        Writing(byte[] body, ServletOutputStream out, AsyncContext async, Runnable cutOff) {
            this.cutOff = cutOff;
            this.body = body;
            this.out = out;
            this.async = async;
        }

        @Override
        public void onWritePossible() throws IOException {
            while (out.isReady()) {
                if (written == body.length) {
                    async.complete();
                    return;
                }
                int part = Math.min(PART, body.length - written);
                out.write(body, written, part);
                written += part;
            }
        }

        /** The container closes the connection, and reports the end of the request as well. */
        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onTimeout(AsyncEvent event) {
            // The next answer on the connection would be taken for the rest of this one.
            cutOff.run();
            async.complete();
        }

        @Override
        public void onError(AsyncEvent event) {
            async.complete();
        }

        @Override
        public void onComplete(AsyncEvent event) {
            room.addAndGet(body.length);
        }

        @Override
        public void onStartAsync(AsyncEvent event) {}
    }
}
