package dev.usher.server;

import dev.usher.RevocationReceipt;
import dev.usher.UserStatus;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Pattern;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** What an administrator sends to enable or disable a user. */
record StatusChange(
        @NotNull(message = Registration.REQUIRED) @Pattern(regexp = "enabled|disabled", message = "must be \"enabled\" or \"disabled\"") String status) {

    UserStatus value() {
        return UserStatus.valueOf(status.toUpperCase(Locale.ROOT));
    }

    /**
     * What a change of a status answers: which nodes have provably forgotten what the user was.
     *
     * @param id whose status
     * @param status what it is now
     * @param confirmed whether every node has; if not, Redis has not taken the change yet, which is sent again as long as this
     *     node lives, and until then other nodes may honour what the user was: calling again sends it again as well
     * @param nodesConfirmed the nodes that have taken notice of the change
     * @param nodesWaitedOut the nodes that have not, and ask anew before they answer
     * @param nodesUnheard the nodes that have not, and may still answer from memory
     * @param tookMs the time from the call to the receipt, the commit excluded, in milliseconds
     */
    record Receipt(
            long id,
            String status,
            boolean confirmed,
            List<String> nodesConfirmed,
            List<String> nodesWaitedOut,
            List<String> nodesUnheard,
            long tookMs) {

        static Receipt of(long id, StatusChange change, RevocationReceipt receipt) {
            return new Receipt(
                    id,
                    change.status,
                    receipt.confirmed(),
                    sorted(receipt.nodesConfirmed()),
                    sorted(receipt.nodesWaitedOut()),
                    sorted(receipt.nodesUnheard()),
                    receipt.took().toMillis());
        }

        private static List<String> sorted(Set<String> nodes) {
            return nodes.stream().sorted().toList();
        }
    }
}
