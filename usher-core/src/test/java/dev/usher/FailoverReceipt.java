package dev.usher;

import dev.usher.RevocationReceipt.Grade;
import dev.usher.RevocationReceipt.Reason;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A receipt, as the announcer of a change recorded it.
 *
 * @param id of the user
 * @param version that the user got by the change
 * @param returnedAt when the announcer had the receipt, in {@link System#nanoTime()}
 */
record FailoverReceipt(
        int id, int version, Grade grade, @Nullable Reason reason, long returnedAt, Duration took) {

    private static final int WIDTH = 6;
    private static final List<Grade> GRADES = List.of(Grade.values());
    private static final List<Reason> REASONS = List.of(Reason.values());
    private static final long NO_REASON = -1;

    long askedAt() {
        return returnedAt - took.toNanos();
    }

    /** The receipts of one announcer. */
    static final class Log {

        private static final int CAPACITY = 1 << 16;

        private final Rows rows;

        private Log(Rows rows) {
            this.rows = rows;
        }

        static Log create(Path file) {
            return new Log(Rows.create(file, WIDTH, CAPACITY));
        }

        void add(int id, int version, RevocationReceipt receipt) {
            Reason reason = receipt.reason();
            rows.add(new long[] {
                id,
                version,
                GRADES.indexOf(receipt.grade()),
                reason == null ? NO_REASON : REASONS.indexOf(reason),
                System.nanoTime(),
                receipt.took().toNanos()
            });
        }

        static List<FailoverReceipt> read(Path file) {
            Rows rows = Rows.open(file, WIDTH);
            List<FailoverReceipt> receipts = new ArrayList<>();
            for (int row = 0; row < rows.size(); row++) {
                long reason = rows.get(row, 3);
                receipts.add(new FailoverReceipt(
                        (int) rows.get(row, 0),
                        (int) rows.get(row, 1),
                        GRADES.get((int) rows.get(row, 2)),
                        reason == NO_REASON ? null : REASONS.get((int) reason),
                        rows.get(row, 4),
                        Duration.ofNanos(rows.get(row, 5))));
            }
            return receipts;
        }
    }
}
