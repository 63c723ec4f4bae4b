package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.awaitility.Awaitility.await;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.mock.web.MockHttpServletResponse;

@Timeout(20)
class EndableResponseTest {

    private final MockHttpServletResponse container = new MockHttpServletResponse();
    private final EndableResponse response = new EndableResponse(container);

    @Test
    void whatTheApplicationWritesArrives() throws Exception {
        response.getOutputStream().write('a');
        response.getOutputStream().write("bc".getBytes(StandardCharsets.UTF_8));
        response.flushBuffer();

        assertThat(container.getContentAsString()).isEqualTo("abc");
        assertThat(container.isCommitted()).isTrue();
    }

    @Test
    void charactersArrive() throws Exception {
        response.setContentType("text/plain;charset=UTF-8");
        PrintWriter writer = response.getWriter();
        writer.print('ü');
        writer.write("sher".toCharArray());
        writer.println(" answers");

        assertThat(writer.checkError()).isFalse();
        assertThat(container.getContentAsString()).isEqualTo("üsher answers" + System.lineSeparator());
    }

    @Test
    void nothingIsWrittenAfterTheEnd() throws Exception {
        ServletOutputStream stream = response.getOutputStream();

        response.refuse();

        assertThatIOException().isThrownBy(() -> stream.write('a')).withMessageContaining("may not act");
        assertThatIOException().isThrownBy(() -> stream.write(new byte[2]));
        assertThatIOException().isThrownBy(stream::flush);
        assertThatIOException().isThrownBy(stream::close);
        assertThatIOException().isThrownBy(response::flushBuffer);
        assertThat(container.getContentAsByteArray()).isEmpty();
        assertThat(container.isCommitted()).isFalse();
    }

    @Test
    void noCharacterIsWrittenAfterTheEnd() throws Exception {
        PrintWriter writer = response.getWriter();

        response.refuse();
        writer.print("too late");
        writer.flush();

        assertThat(writer.checkError()).isTrue();
        assertThat(container.getContentAsString()).isEmpty();
    }

    @Test
    void theGateAnswersAfterTheEnd() throws Exception {
        response.refuse();

        Refusal.ACCOUNT_DISABLED.send(response.unguarded());

        assertThat(container.getStatus()).isEqualTo(403);
    }

    @Test
    void theEndWaitsForAWriteUnderWay() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        EndableResponse slow = new EndableResponse(new MockHttpServletResponse() {
            @Override
            public ServletOutputStream getOutputStream() {
                return new SlowStream(begun, goOn);
            }
        });
        CompletableFuture<Void> write = CompletableFuture.runAsync(() -> writeTo(slow));
        begun.await();
        slow.refuse();
        AtomicBoolean hasEnded = new AtomicBoolean();
        Thread ending = new Thread(() -> slow.end(() -> hasEnded.set(true)));
        ending.start();

        await().until(() -> ending.getState() == Thread.State.WAITING);
        assertThat(hasEnded).isFalse();
        goOn.countDown();
        ending.join();
        assertThat(hasEnded).isTrue();
        write.get(10, TimeUnit.SECONDS);
    }

    private static void writeTo(EndableResponse response) {
        try {
            response.getOutputStream().write('a');
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static final class SlowStream extends ServletOutputStream {

        private final CountDownLatch begun;
        private final CountDownLatch goOn;

        SlowStream(CountDownLatch begun, CountDownLatch goOn) {
            this.begun = begun;
            this.goOn = goOn;
        }

        @Override
        public void write(int b) {
            begun.countDown();
            try {
                goOn.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setWriteListener(WriteListener listener) {}
    }
}
