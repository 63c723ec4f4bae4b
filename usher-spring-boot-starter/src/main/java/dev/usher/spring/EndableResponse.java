package dev.usher.spring;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.FilterWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.springframework.web.util.WebUtils;

/**
 * A response that can be ended while a thread of the application writes it. A container's response is not thread-safe (Jakarta
 * Servlet, section 2.3.3.4): Tomcat writes out what is buffered when an asynchronous request is completed, and would send chunks
 * of a wrong length if a write were under way. So the end waits for that write, and all later writes fail.
 */
final class EndableResponse extends HttpServletResponseWrapper {

    private final ReentrantLock writing = new ReentrantLock();
    private volatile boolean hasEnded;
    private @Nullable ServletOutputStream stream;
    private @Nullable PrintWriter writer;

    EndableResponse(HttpServletResponse response) {
        super(response);
    }

    /** The one that an earlier dispatch of a request has made, if any. */
    static @Nullable EndableResponse within(HttpServletResponse response) {
        return WebUtils.getNativeResponse(response, EndableResponse.class);
    }

    /** Fails all later writes. It does not wait. */
    void refuse() {
        hasEnded = true;
    }

    /** Waits for a write that is under way, and acts while there is none. */
    void end(Runnable action) {
        writing.lock();
        try {
            action.run();
        } finally {
            writing.unlock();
        }
    }

    /** For the gate, which answers instead of the application. */
    HttpServletResponse unguarded() {
        return (HttpServletResponse) getResponse();
    }

    @Override
    public ServletOutputStream getOutputStream() throws IOException {
        if (stream == null) {
            stream = new Stream(getResponse().getOutputStream());
        }
        return stream;
    }

    @Override
    public PrintWriter getWriter() throws IOException {
        if (writer == null) {
            PrintWriter opened = getResponse().getWriter();
            writer = new PrintWriter(new Characters(opened)) {
                @Override
                public boolean checkError() {
                    return super.checkError() || opened.checkError();
                }
            };
        }
        return writer;
    }

    @Override
    public void flushBuffer() throws IOException {
        write(super::flushBuffer);
    }

    private void write(Output output) throws IOException {
        writing.lock();
        try {
            if (hasEnded) {
                throw new IOException("The response has ended: its user may not act any more");
            }
            output.run();
        } finally {
            writing.unlock();
        }
    }

    @FunctionalInterface
    private interface Output {

        void run() throws IOException;
    }

    private final class Stream extends ServletOutputStream {

        private final ServletOutputStream opened;

        Stream(ServletOutputStream opened) {
            this.opened = opened;
        }

        @Override
        public void write(int b) throws IOException {
            EndableResponse.this.write(() -> opened.write(b));
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            EndableResponse.this.write(() -> opened.write(bytes, from, length));
        }

        @Override
        public void flush() throws IOException {
            EndableResponse.this.write(opened::flush);
        }

        @Override
        public void close() throws IOException {
            EndableResponse.this.write(opened::close);
        }

        @Override
        public boolean isReady() {
            return opened.isReady();
        }

        @Override
        public void setWriteListener(WriteListener listener) {
            opened.setWriteListener(listener);
        }
    }

    /** All that a {@link PrintWriter} writes comes through here. */
    private final class Characters extends FilterWriter {

        Characters(Writer opened) {
            super(opened);
        }

        @Override
        public void write(int character) throws IOException {
            EndableResponse.this.write(() -> out.write(character));
        }

        @Override
        public void write(char[] characters, int from, int length) throws IOException {
            EndableResponse.this.write(() -> out.write(characters, from, length));
        }

        @Override
        public void write(String text, int from, int length) throws IOException {
            EndableResponse.this.write(() -> out.write(text, from, length));
        }

        @Override
        public void flush() throws IOException {
            EndableResponse.this.write(out::flush);
        }

        @Override
        public void close() throws IOException {
            EndableResponse.this.write(out::close);
        }
    }
}
