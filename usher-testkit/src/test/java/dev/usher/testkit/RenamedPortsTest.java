package dev.usher.testkit;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RenamedPortsTest {

    private static final String SAID = said(12345);
    private static final String TOLD = said(20000);

    private static String said(int port) {
        return String.join(
                "\r\n",
                "-MOVED 42 127.0.0.1:" + port,
                "$68",
                "id 127.0.0.1:" + port + "@22345 master - 0 0 1 connected 0-5460",
                "x 1:54321 :123456",
                "*2",
                ":0",
                ":" + port,
                "+a:b:",
                "");
    }

    @Test
    void aPortIsReplacedWhereverTheBytesAreParted() {
        for (int size = 1; size <= SAID.length(); size++) {
            assertThat(told(SAID, size, Map.of(12345, 20000)))
                    .as("%d at a time", size)
                    .isEqualTo(TOLD);
        }
    }

    @Test
    void nothingIsHeldThatCannotBecomeAPort() {
        RenamedPorts ports = new RenamedPorts(Map.of(12345, 20000));
        byte[] reply = ":12345\r\n".getBytes(US_ASCII);
        assertThat(new String(ports.next(reply, reply.length), US_ASCII)).isEqualTo(":20000\r\n");
        assertThat(ports.last()).isEmpty();
        byte[] end = "a:123".getBytes(US_ASCII);
        assertThat(new String(ports.next(end, end.length), US_ASCII)).isEqualTo("a");
        assertThat(new String(ports.last(), US_ASCII)).isEqualTo(":123");
    }

    private static String told(String said, int size, Map<Integer, Integer> renamed) {
        RenamedPorts ports = new RenamedPorts(renamed);
        ByteArrayOutputStream told = new ByteArrayOutputStream();
        for (int at = 0; at < said.length(); at += size) {
            byte[] part = said.substring(at, Math.min(said.length(), at + size)).getBytes(US_ASCII);
            told.writeBytes(ports.next(part, part.length));
        }
        told.writeBytes(ports.last());
        return told.toString(US_ASCII);
    }
}
