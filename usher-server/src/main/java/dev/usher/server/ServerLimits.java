package dev.usher.server;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The settings under {@code usher.server.limits}: how long, and how many at a time, callers may keep the server busy with waiting.
 *
 * @param headTimeout Within what time a request's head must have arrived, counted from its first byte, from a millisecond to an hour.
 * @param bodyTimeout Within what time a request's body must have arrived, and a large answer must have been taken, from a
 *     millisecond to an hour.
 * @param bufferedBodies Memory for all the bodies of more than 4 KB that are on their way at a time.
 * @param bufferedAnswers Memory for all the answers of more than 2 KB that are on their way at a time.
 * @param waitingReceipts How many receipts are waited for at a time, each by a thread; 0 for none.
 * @param waitingForDatabase How many threads wait for a connection to the database at a time, at least 1; the next one answers 503.
 */
@ConfigurationProperties("usher.server.limits")
public record ServerLimits(
        @DefaultValue("5s") Duration headTimeout,
        @DefaultValue("5s") Duration bodyTimeout,
        @DefaultValue("32MB") DataSize bufferedBodies,
        @DefaultValue("64MB") DataSize bufferedAnswers,
        @DefaultValue("20") int waitingReceipts,
        @DefaultValue("40") int waitingForDatabase) {

    private static final Duration LONGEST = Duration.ofHours(1);

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
        if (timeout.toMillis() < 1 || timeout.compareTo(LONGEST) > 0) {
            throw new IllegalArgumentException(
                    "usher.server.limits." + name + " must be from a millisecond to an hour, but is " + timeout);
        }
    }
}
