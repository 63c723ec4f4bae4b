package dev.usher.server.user;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.usher.RevocationReceipt;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The answer to a change of what a user may do: which nodes have provably dropped what was true before.
 *
 * @param id of the user
 * @param status the new status, or {@code null} when it was not changed
 * @param roles the new roles, or {@code null} when they were not changed
 * @param confirmed whether every node has dropped what was true before; until then other nodes may honour it
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
        @Nullable String status,
        @Nullable List<String> roles,
        boolean confirmed,
        @Nullable Reason reason,
        @Nullable String redisError,
        @Nullable String missing,
        List<String> nodesConfirmed,
        List<String> nodesWaitedOut,
        List<String> nodesUnheard,
        long tookMs) {

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

    static Receipt of(long id, RevocationReceipt receipt) {
        return new Receipt(
                id,
                null,
                null,
                receipt.confirmed(),
                Reason.of(receipt.reason()),
                receipt.redisError(),
                receipt.missing(),
                sorted(receipt.nodesConfirmed()),
                sorted(receipt.nodesWaitedOut()),
                sorted(receipt.nodesUnheard()),
                receipt.took().toMillis());
    }

    /** The receipt of two facets that were revoked one after the other, of which the first one is confirmed. */
    static Receipt of(long id, RevocationReceipt confirmed, RevocationReceipt next) {
        Set<String> both = new TreeSet<>(confirmed.nodesConfirmed());
        both.retainAll(next.nodesConfirmed());
        Set<String> waitedOut = new TreeSet<>(confirmed.nodesWaitedOut());
        waitedOut.addAll(next.nodesWaitedOut());
        waitedOut.removeAll(next.nodesUnheard());
        return new Receipt(
                id,
                null,
                null,
                next.confirmed(),
                Reason.of(next.reason()),
                next.redisError(),
                next.missing(),
                List.copyOf(both),
                List.copyOf(waitedOut),
                sorted(next.nodesUnheard()),
                confirmed.took().plus(next.took()).toMillis());
    }

    /** The receipt of a committed and announced change for which no thread may wait. */
    static Receipt ofTooManyWaiting(long id, Duration took) {
        return new Receipt(
                id,
                null,
                null,
                false,
                Reason.TOO_MANY_WAITING,
                null,
                null,
                List.of(),
                List.of(),
                List.of(),
                took.toMillis());
    }

    Receipt ofStatus(String changed) {
        return with(changed, roles);
    }

    Receipt ofRoles(List<String> changed) {
        return with(status, changed);
    }

    private Receipt with(@Nullable String newStatus, @Nullable List<String> newRoles) {
        return new Receipt(
                id,
                newStatus,
                newRoles,
                confirmed,
                reason,
                redisError,
                missing,
                nodesConfirmed,
                nodesWaitedOut,
                nodesUnheard,
                tookMs);
    }

    private static List<String> sorted(Set<String> nodes) {
        return nodes.stream().sorted().toList();
    }
}
