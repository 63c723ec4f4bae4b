package dev.usher.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.testkit.HeldBytes.Kind;
import dev.usher.testkit.HeldBytes.Parcel;
import java.nio.ByteBuffer;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class HeldBytesTest {
    private final Faults faults = new Faults();
    private final HeldBytes held = new HeldBytes(faults);

    @Test
    void delayedBytesStayInOrderThoughTheDelayShrinks() throws InterruptedException {
        Duration delay = Duration.ofMillis(100);
        long start = System.nanoTime();
        faults.delay(delay);
        held.add(Kind.BYTES, bytes(1));
        faults.delay(Duration.ZERO);
        held.add(Kind.BYTES, bytes(2));

        assertThat(held.take()).extracting(Parcel::bytes).isEqualTo(bytes(1));
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(delay);
        assertThat(held.take()).extracting(Parcel::bytes).isEqualTo(bytes(2));
    }

    @Test
    void theEndOfTheStreamIsDelayedAsBytesAre() throws InterruptedException {
        Duration delay = Duration.ofMillis(100);
        long start = System.nanoTime();
        faults.delay(delay);
        held.add(Kind.END, ByteBuffer.allocate(0));

        assertThat(held.take()).extracting(Parcel::kind).isEqualTo(Kind.END);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThanOrEqualTo(delay);
    }

    @Test
    void onceClosedNothingIsTakenEvenWhatIsDue() throws InterruptedException {
        held.add(Kind.BYTES, bytes(1));
        held.close();

        assertThat(held.take()).isNull();
    }

    private static ByteBuffer bytes(int... values) {
        ByteBuffer buffer = ByteBuffer.allocate(values.length);
        for (int value : values) {
            buffer.put((byte) value);
        }
        return buffer.flip();
    }
}
