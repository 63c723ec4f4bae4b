package dev.usher.server;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The settings under {@code usher.server.limits}: deadlines of requests, and bounds of what callers may wait for at a time.
 *
 * @param headTimeout Deadline for a request's head, counted from its first byte, from a millisecond to an hour.
 * @param bodyTimeout Deadline for a request's body to arrive and for a large answer to be taken, from a millisecond to an hour.
 * @param bufferedBodies Memory for all request bodies of more than 4 KB that are being received.
 * @param bufferedAnswers Memory for all answers of more than 2 KB that are being sent.
 * @param waitingReceipts Receipts that threads may wait for at a time; 0 for none.
 * @param waitingForDatabase Threads that may wait for a connection to the database at a time, at least 1; the next one answers 503.
 */
@ConfigurationProperties("usher.server.limits")
public record ServerLimits(
        @DefaultValue("5s") Duration headTimeout,
        @DefaultValue("5s") Duration bodyTimeout,
        @DefaultValue("32MB") DataSize bufferedBodies,
        @DefaultValue("64MB") DataSize bufferedAnswers,
        @DefaultValue("20") int waitingReceipts,
        @DefaultValue("40") int waitingForDatabase) {

    private static final Duration MAX_TIMEOUT = Duration.ofHours(1);

    public ServerLimits {
        requireTimeout(headTimeout, "head-timeout");
        requireTimeout(bodyTimeout, "body-timeout");
        requireCount(waitingReceipts, 0, "waiting-receipts");
        requireCount(waitingForDatabase, 1, "waiting-for-database");
    }

    private static void requireCount(int count, int min, String name) {
        if (count < min) {
            throw new IllegalArgumentException(
                    "usher.server.limits." + name + " must be at least " + min + ", but is " + count);
        }
    }

    private static void requireTimeout(Duration timeout, String name) {
        if (timeout.toMillis() < 1 || timeout.compareTo(MAX_TIMEOUT) > 0) {
            throw new IllegalArgumentException(
                    "usher.server.limits." + name + " must be from a millisecond to an hour, but is " + timeout);
        }
    }
}
