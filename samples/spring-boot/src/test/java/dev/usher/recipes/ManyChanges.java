package dev.usher.recipes;

import dev.usher.RevocationReceipt;
import dev.usher.UserStatusCache;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/** Changes that are announced together. */
final class ManyChanges {

    private final UserStatusCache<Long> statuses;

    ManyChanges(UserStatusCache<Long> statuses) {
        this.statuses = statuses;
    }

    RevocationReceipt ban(List<Long> ids, Consumer<List<Long>> update) {
        return statuses.disableAll(ids, () -> update.accept(ids));
    }

    void delete(long id, LongConsumer delete) {
        delete.accept(id);
        statuses.forget(id);
    }
}
