package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.usher.UserSource;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.support.DefaultListableBeanFactory;
import org.springframework.transaction.support.ResourceHolderSupport;
import org.springframework.transaction.support.TransactionSynchronizationManager;

class DetachedUserSourceTest {

    private static final Object SESSION = "a session with a first-level cache";

    private final BoundConnections connections = new BoundConnections(new DefaultListableBeanFactory());

    @AfterEach
    void unbind() {
        TransactionSynchronizationManager.unbindResourceIfPossible("factory");
        TransactionSynchronizationManager.clear();
    }

    @Test
    void theSourceDoesNotSeeTheResourcesOfTheRequestWhichAreBoundAgainAfterwards() throws Exception {
        TransactionSynchronizationManager.bindResource("factory", SESSION);
        UserSource<Long, String> source = detached(ids -> {
            assertThat(TransactionSynchronizationManager.getResourceMap()).isEmpty();
            return Map.of(42L, "Ann");
        });

        assertThat(source.canLoadForOthers()).isTrue();
        assertThat(source.load(Set.of(42L))).containsEntry(42L, "Ann");

        assertThat(TransactionSynchronizationManager.getResource("factory")).isSameAs(SESSION);
    }

    @Test
    void theResourcesAreBoundAgainAfterAFailureToo() {
        TransactionSynchronizationManager.bindResource("factory", SESSION);
        UserSource<Long, String> source = detached(ids -> {
            throw new IllegalStateException("the database is gone");
        });

        assertThatIllegalStateException().isThrownBy(() -> source.load(Set.of(42L)));

        assertThat(TransactionSynchronizationManager.getResource("factory")).isSameAs(SESSION);
    }

    @Test
    void aResourceThatMayHoldAConnectionIsUsedAndTheThreadLoadsForItselfAlone() throws Exception {
        Object ofAnUnknownTechnology = new ResourceHolderSupport() {};
        TransactionSynchronizationManager.bindResource("factory", ofAnUnknownTechnology);
        UserSource<Long, String> source = detached(ids -> {
            assertThat(TransactionSynchronizationManager.getResource("factory")).isSameAs(ofAnUnknownTechnology);
            return Map.of();
        });

        assertThat(source.canLoadForOthers()).isFalse();
        assertThat(source.load(Set.of(42L))).isEmpty();
    }

    @Test
    void insideTheScopeOfATransactionAndInItsLastCallbacksAThreadLoadsForItselfAlone() {
        UserSource<Long, String> source = detached(ids -> Map.of());

        TransactionSynchronizationManager.initSynchronization();
        assertThat(source.canLoadForOthers()).isFalse();
        TransactionSynchronizationManager.clear();
        TransactionSynchronizationManager.setActualTransactionActive(true);
        assertThat(source.canLoadForOthers()).isFalse();
        TransactionSynchronizationManager.clear();
        assertThat(source.canLoadForOthers()).isTrue();
    }

    private UserSource<Long, String> detached(UserSource<Long, String> source) {
        return new DetachedUserSource<>(source, connections);
    }
}
