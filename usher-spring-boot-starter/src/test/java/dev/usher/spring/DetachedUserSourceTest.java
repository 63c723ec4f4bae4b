package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.transaction.support.TransactionSynchronizationManager;

class DetachedUserSourceTest {

    private static final Object SESSION = "a session that remembers";

    @AfterEach
    void unbind() {
        TransactionSynchronizationManager.unbindResourceIfPossible("factory");
    }

    @Test
    void whatARequestHasBoundIsNotSeenByTheSourceAndStandsAfterwards() throws Exception {
        TransactionSynchronizationManager.bindResource("factory", SESSION);
        DetachedUserSource<Long, String> source = new DetachedUserSource<>(ids -> {
            assertThat(TransactionSynchronizationManager.getResourceMap()).isEmpty();
            return Map.of(42L, "Ann");
        });

        assertThat(source.load(Set.of(42L))).containsEntry(42L, "Ann");

        assertThat(TransactionSynchronizationManager.getResource("factory")).isSameAs(SESSION);
    }

    @Test
    void itStandsAfterAFailureToo() {
        TransactionSynchronizationManager.bindResource("factory", SESSION);
        DetachedUserSource<Long, String> source = new DetachedUserSource<>(ids -> {
            throw new IllegalStateException("the database is gone");
        });

        assertThatIllegalStateException().isThrownBy(() -> source.load(Set.of(42L)));

        assertThat(TransactionSynchronizationManager.getResource("factory")).isSameAs(SESSION);
    }
}
