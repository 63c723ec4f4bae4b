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

/** The request to enable or disable a user. */
public record StatusChange(
        @NotNull(message = Problem.Field.REQUIRED) @Pattern(regexp = "enabled|disabled", message = "must be \"enabled\" or \"disabled\"") String status) {

    UserStatus value() {
        return UserStatus.valueOf(status.toUpperCase(Locale.ROOT));
    }

    /** Why a receipt is not confirmed: the reasons of the caches, and those of this server. */
    public enum Reason {
        AWAITING_COMMIT,
        NO_REDIS,
        REDIS_REFUSED,
        CONNECTION_LOST,
        INTERRUPTED,
        CLOSED,
        NODES_UNHEARD,
        STALE_ANSWERS_ALLOWED,
        UNFENCED,
        NOT_REPLICATED,
        OTHER_REGISTER,
        /** Too many threads wait for receipts: the change is announced, and this call did not wait for the nodes. */
        TOO_MANY_WAITING;

        private static @Nullable Reason of(RevocationReceipt.@Nullable Reason reason) {
            return reason == null ? null : valueOf(reason.name());
        }
    }

    /**
     * The answer to a change of a status: which nodes have provably dropped the old status.
     *
     * @param id of the user
     * @param status the new status
     * @param confirmed whether every node has dropped the old status; until then other nodes may honour it
     * @param reason why it is not confirmed, or {@code null} when it is. A change that Redis has not accepted is sent again while this node
     *     runs, and by another call
     * @param redisError the code of the error with which Redis has refused the change, such as {@code READONLY}, or {@code null}
     * @param missing what is missing where Redis has replicas and the change is not known to outlive its primary, in words, or {@code null}
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
            @Nullable String missing,
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
                    receipt.missing(),
                    sorted(receipt.nodesConfirmed()),
                    sorted(receipt.nodesWaitedOut()),
                    sorted(receipt.nodesUnheard()),
                    receipt.took().toMillis());
        }

        /** The receipt of a committed and announced change for which no thread may wait. */
        static Receipt ofTooManyWaiting(long id, StatusChange change, Duration took) {
            return new Receipt(
                    id,
                    change.status,
                    false,
                    Reason.TOO_MANY_WAITING,
                    null,
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
