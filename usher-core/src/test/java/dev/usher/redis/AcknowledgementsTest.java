package dev.usher.redis;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.redis.Revocations.Acknowledged;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What is concluded from the answers of Redis and of its Sentinels. */
class AcknowledgementsTest {

    private static final ServerAddress ONE = new ServerAddress("10.0.0.1", 6379);
    private static final ServerAddress OTHER = new ServerAddress("10.0.0.2", 6379);
    private static final Candidates BOTH = new Candidates(Set.of(ONE, OTHER), null);

    private final Replication written = replication("h", true, 100, Map.of(ONE, 50L, OTHER, 50L));

    @Test
    void allThatCouldTakeThePlaceOfThePrimaryHaveIt() {
        Acknowledged outcome = outcome(BOTH, replication("h", true, 120, Map.of(ONE, 100L, OTHER, 110L)));

        assertThat(outcome).isEqualTo(new Acknowledged(2, true, null));
    }

    @Test
    void oneThatIsBehindOrNotConnectedIsNamed() {
        Acknowledged behind = outcome(BOTH, replication("h", true, 120, Map.of(ONE, 99L, OTHER, 110L)));
        Acknowledged away = outcome(BOTH, replication("h", true, 120, Map.of(OTHER, 110L)));

        assertThat(behind.replicas()).isOne();
        assertThat(behind.isReplicated()).isFalse();
        assertThat(behind.missing()).contains("by 10.0.0.1:6379:");
        assertThat(away.isReplicated()).isFalse();
        assertThat(away.missing()).contains("by 10.0.0.1:6379:").contains("SENTINEL RESET");
    }

    /** The Sentinels do not know it yet: they learn it from the primary. */
    @Test
    void oneThatIsConnectedCountsAlsoWhenTheSentinelsDoNotKnowIt() {
        Acknowledged outcome =
                outcome(new Candidates(Set.of(ONE), null), replication("h", true, 120, Map.of(ONE, 100L, OTHER, 99L)));

        assertThat(outcome.isReplicated()).isFalse();
        assertThat(outcome.missing()).contains("by 10.0.0.2:6379:");
    }

    /** As in a Cluster whose servers announce names. */
    @Test
    void aReplicaIsKnownByEitherOfItsAddresses() {
        ServerAddress name = new ServerAddress("replica.example", 6379);
        Candidates either = new Candidates(Set.of(ONE, OTHER), Map.of(ONE, name, OTHER, OTHER), null);

        assertThat(outcome(either, replication("h", true, 120, Map.of(name, 100L, OTHER, 110L))))
                .isEqualTo(new Acknowledged(2, true, null));
        assertThat(outcome(either, replication("h", true, 120, Map.of(name, 99L, OTHER, 110L)))
                        .isReplicated())
                .isFalse();
    }

    @Test
    void oneThatDoesNotFollowYetCounts() {
        Replication now = new Replication("h", true, 120, 2, Map.of(ONE, 100L), false);

        assertThat(outcome(new Candidates(Set.of(ONE), null), now).isReplicated())
                .isFalse();
    }

    /** The connection was restored, and leads to another server: its replicas have acknowledged nothing of the ban. */
    @Test
    void anotherHistoryOrAReplicaProvesNothing() {
        Map<ServerAddress, Long> all = Map.of(ONE, 100L, OTHER, 110L);

        assertThat(outcome(BOTH, replication("other", true, 120, all)).isReplicated())
                .isFalse();
        assertThat(outcome(BOTH, replication("h", false, 120, all)).isReplicated())
                .isFalse();
        assertThat(Acknowledgements.outcome("before", written, 2, BOTH, replication("h", true, 120, all)))
                .extracting(Acknowledged::isReplicated)
                .isEqualTo(false);
    }

    @Test
    void asManyAsWereAskedForAreNeeded() {
        Acknowledged outcome = Acknowledgements.outcome(
                "h", written, 3, BOTH, replication("h", true, 120, Map.of(ONE, 100L, OTHER, 110L)));

        assertThat(outcome.isReplicated()).isFalse();
        assertThat(outcome.missing()).isEqualTo("2 of the 3 replicas that were waited for have acknowledged the ban");
    }

    @Test
    void whatIsNotKnownOfTheCandidatesIsMissing() {
        Acknowledged outcome =
                outcome(Candidates.unknown("no majority"), replication("h", true, 120, Map.of(ONE, 100L, OTHER, 110L)));

        assertThat(outcome).isEqualTo(new Acknowledged(2, true, "no majority"));
    }

    /** Sentinels that have been reset know none of those that are lost. */
    @Test
    void aPrimaryThatHasLostItsReplicasConfirmsNothing() {
        Replication lost = new Replication("h", true, 100, 0, Map.of(), false);
        Replication alone = new Replication("h", true, 100, 0, Map.of(), true);

        assertThat(Acknowledgements.outcome("h", lost, 0, Candidates.NONE, lost).missing())
                .contains("none is left");
        assertThat(Acknowledgements.outcome("h", alone, 0, Candidates.NONE, alone)
                        .missing())
                .isNull();
    }

    private Acknowledged outcome(Candidates candidates, Replication now) {
        return Acknowledgements.outcome("h", written, 2, candidates, now);
    }

    private static Replication replication(
            String history, boolean isPrimary, long offset, Map<ServerAddress, Long> offsets) {
        return new Replication(history, isPrimary, offset, offsets.size(), offsets, false);
    }
}
