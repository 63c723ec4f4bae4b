package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class CallTableTest {

    @Test
    void columnsAreAsWideAsWhatStandsInThem() {
        CallRow many = new CallRow(
                "own profile, warm",
                "GET /v1/me",
                LongStream.rangeClosed(1, 200).map(n -> n * 1_000_000).boxed().toList(),
                Duration.ofMillis(500),
                new Tally(30, 1_000_000, 0, 0));
        CallRow one = new CallRow(
                "log in", "POST /v1/login", List.of(1_234_567L), Duration.ofSeconds(2), new Tally(0, 0, 0, 2));
        ByteArrayOutputStream output = new ByteArrayOutputStream();

        CallTable.print(List.of(many, one), new PrintStream(output, true, StandardCharsets.UTF_8));

        assertThat(output.toString(StandardCharsets.UTF_8).lines().map(String::stripTrailing))
                .containsExactly(
                        "                                            from       from  from      SQL    p50    p99    max  calls",
                        "what               call            calls  memory      Redis   SQL  queries     ms     ms     ms  per s",
                        "-".repeat(102),
                        "own profile, warm  GET /v1/me        200      30  1,000,000     0        0  100.0  198.0  200.0    400",
                        "log in             POST /v1/login      1       0          0     0        2    1.2    1.2    1.2      1",
                        "-".repeat(102));
    }
}
