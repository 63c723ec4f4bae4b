package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.usher.relay.RelayHealth.State;
import dev.usher.relay.RelaySite.Node;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Changes by SQL that no application announces, through the relay. */
class ChangeRelayIT {

    private static RelaySite site;

    @BeforeAll
    static void start() {
        site = new RelaySite(RelayKind.POSTGRES_LOG);
    }

    @AfterEach
    void closeAll() {
        site.closeAll();
    }

    @AfterAll
    static void stop() {
        site.close();
    }

    @Test
    void changesBySqlAreNewOnAllNodesAlsoThoseOfATimeWithoutARelayOrSlot() {
        site.insertUsers(1, 5, "old");
        Node one = site.node();
        Node other = site.node();
        ChangeRelay relay = site.relay(one);
        await().atMost(Duration.ofSeconds(30)).until(() -> relay.health().state() == State.FOLLOWING);
        assertOld(one, other);

        // The flush of the new slot is still under way.
        site.sql("UPDATE users SET name = 'new' WHERE id = 1");
        awaitName(1, "new", one, other);
        site.sql("UPDATE users SET status = 0 WHERE id = 2");
        await().atMost(Duration.ofSeconds(30)).until(() -> !one.isEnabled(2) && !other.isEnabled(2));
        await().until(() -> relay.health().revocations() == 1);
        assertThat(one.name(9)).isEqualTo("none");
        assertThat(other.name(9)).isEqualTo("none");
        site.sql("INSERT INTO users (id, name) VALUES (9, 'born')");
        awaitName(9, "born", one, other);
        site.sql("DELETE FROM users WHERE id = 9");
        awaitName(9, "none", one, other);

        // A relay whose slot is gone flushes everything: what has changed meanwhile is unknown.
        assertThat(one.name(3)).isEqualTo("old");
        assertThat(other.name(3)).isEqualTo("old");
        relay.close();
        assertThatThrownBy(site.feed()::drop).hasMessageContaining("DROP PUBLICATION IF EXISTS usher;");
        site.sql("UPDATE users SET name = 'unheard' WHERE id = 3");
        ChangeRelay next = site.relay(other);
        awaitName(3, "unheard", one, other);
        assertThat(next.health().flushes()).isEqualTo(1);
        next.close();
    }

    @Tag("thorough")
    @Test
    void aRelayThatEndsAndBeginsAgainHasLostNothingAndFlushesNothing() {
        site.sql("INSERT INTO users (id, name) VALUES (21, 'old')");
        Node one = site.node();
        Node other = site.node();
        ChangeRelay relay = site.relay(one);
        await().atMost(Duration.ofSeconds(30)).until(() -> site.isSettled(relay, one));
        assertThat(other.name(21)).isEqualTo("old");
        relay.close();
        site.sql("UPDATE users SET name = 'new' WHERE id = 21");
        ChangeRelay next = site.relay(other);
        awaitName(21, "new", one, other);
        assertThat(next.health().flushes()).isZero();
        next.close();
    }

    private static void assertOld(Node... nodes) {
        for (Node node : nodes) {
            for (long id = 1; id <= 5; id++) {
                assertThat(node.name(id)).isEqualTo("old");
                assertThat(node.isEnabled(id)).isTrue();
            }
        }
    }

    private static void awaitName(long id, String name, Node... nodes) {
        await().atMost(Duration.ofSeconds(30))
                .pollInterval(Duration.ofMillis(10))
                .untilAsserted(() -> {
                    for (Node node : nodes) {
                        assertThat(node.name(id)).isEqualTo(name);
                    }
                });
    }
}
