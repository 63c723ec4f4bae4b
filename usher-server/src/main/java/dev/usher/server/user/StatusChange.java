package dev.usher.server.user;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.usher.RevocationReceipt;
import dev.usher.UserStatus;
import dev.usher.server.problem.Problem;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What an administrator sends to enable or disable a user. */
public record StatusChange(
        @NotNull(message = Problem.Field.REQUIRED) @Pattern(regexp = "enabled|disabled", message = "must be \"enabled\" or \"disabled\"") String status) {

    UserStatus value() {
        return UserStatus.valueOf(status.toUpperCase(Locale.ROOT));
    }

    /** Why a receipt is not confirmed: what the caches say, and what this server adds to it. */
    public enum Reason {
        AWAITING_COMMIT,
        NO_REDIS,
        REDIS_REFUSED,
        CONNECTION_LOST,
        INTERRUPTED,
        CLOSED,
        NODES_UNHEARD,
        STALE_ANSWERS_ALLOWED,
        /** This server waits for as many receipts as it may: the nodes have been told, and were not waited for. */
        TOO_MANY_WAITING;

        private static @Nullable Reason of(RevocationReceipt.@Nullable Reason reason) {
            return reason == null ? null : valueOf(reason.name());
        }
    }

    /**
     * What a change of a status answers: which nodes have provably forgotten what the user was.
     *
     * @param id whose status
     * @param status what it is now
     * @param confirmed whether every node has; until then other nodes may honour what the user was
     * @param reason why it is not confirmed, or {@code null} when it is. Where Redis has not taken the change, it is sent again as
     *     long as this node lives; calling again sends it again as well
     * @param redisError the code of the error with which Redis has refused the change, such as {@code READONLY}, or {@code null}
     * @param nodesConfirmed the nodes that have taken notice of the change
     * @param nodesWaitedOut the nodes that have not, and ask anew before they answer
     * @param nodesUnheard the nodes that have not, and may still answer from memory
     * @param tookMs the time from the call to the receipt, the commit excluded, in milliseconds
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Receipt(
            long id,
            String status,
            boolean confirmed,
            @Nullable Reason reason,
            @Nullable String redisError,
            List<String> nodesConfirmed,
            List<String> nodesWaitedOut,
            List<String> nodesUnheard,
            long tookMs) {

        static Receipt of(long id, StatusChange change, RevocationReceipt receipt) {
            return new Receipt(
                    id,
                    change.status,
                    receipt.confirmed(),
                    Reason.of(receipt.reason()),
                    receipt.redisError(),
                    sorted(receipt.nodesConfirmed()),
                    sorted(receipt.nodesWaitedOut()),
                    sorted(receipt.nodesUnheard()),
                    receipt.took().toMillis());
        }

        /** Of a change that has been committed and announced, while as many receipts are waited for as may be. */
        static Receipt ofTooManyWaiting(long id, StatusChange change, Duration took) {
            return new Receipt(
                    id,
                    change.status,
                    false,
                    Reason.TOO_MANY_WAITING,
                    null,
                    List.of(),
                    List.of(),
                    List.of(),
                    took.toMillis());
        }

        private static List<String> sorted(Set<String> nodes) {
            return nodes.stream().sorted().toList();
        }
    }
}
