package dev.usher.model.failover;

import static dev.usher.model.failover.Chance.AN_UNKNOWN_REPLICA;
import static dev.usher.model.failover.Chance.AN_UNKNOWN_REPLICA_LATER;
import static dev.usher.model.failover.Chance.A_SECOND_FAILOVER;
import static dev.usher.model.failover.Chance.A_SECOND_REPLICA;
import static dev.usher.model.failover.Chance.CONNECTIONS_OF_THE_ANNOUNCER_APART;
import static dev.usher.model.failover.Chance.CONNECTIONS_OF_THE_READER_APART;
import static dev.usher.model.failover.Chance.CONNECTIONS_OUTLIVE_THE_ROLE;
import static dev.usher.model.failover.Chance.MIN_REPLICAS;
import static dev.usher.model.failover.Chance.THE_ANNOUNCER_COMES_LATER;
import static dev.usher.model.failover.Chance.THE_OLD_PRIMARY_IS_FORGOTTEN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.usher.model.Explorer.Finding;
import dev.usher.model.Table;
import dev.usher.model.Time;
import java.util.EnumSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A ban while Sentinels replace the primary, explored exhaustively: with all rules nothing is broken, and without any one of them something is. */
@Tag("thorough")
class FailoverModelIT {

    /** Where most of the rules are needed: the old primary goes on, and no ban waits for it. */
    private static final Setting FORGOTTEN = Setting.of(THE_OLD_PRIMARY_IS_FORGOTTEN);

    /** Where a connection may be made late: its address was asked for before the failover. */
    private static final Setting APART =
            Setting.of(THE_OLD_PRIMARY_IS_FORGOTTEN, CONNECTIONS_OF_THE_READER_APART, THE_ANNOUNCER_COMES_LATER);

    @ParameterizedTest
    @MethodSource("settings")
    void aConfirmedReceiptHoldsAndNoOldValueStays(Setting setting) {
        assertNothingIsBroken(setting);
    }

    static Stream<Arguments> settings() {
        return Stream.of(argumentSet("the old primary is forgotten", FORGOTTEN));
    }

    @ParameterizedTest
    @MethodSource("largeSettings")
    void aConfirmedReceiptHoldsAndNoOldValueStaysHoweverManyStatesThereAre(Setting setting) {
        assertNothingIsBroken(setting);
    }

    static Stream<Arguments> largeSettings() {
        return Stream.of(
                argumentSet("the old primary has to acknowledge bans", Setting.of()),
                argumentSet("the reader's connections are made one by one, and late", APART),
                argumentSet(
                        "the announcer's connections are made one by one",
                        Setting.of(THE_OLD_PRIMARY_IS_FORGOTTEN, CONNECTIONS_OF_THE_ANNOUNCER_APART)),
                argumentSet("the new primary is replaced by the old one", Setting.of(A_SECOND_FAILOVER)));
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "THE_WATERMARK_NEEDS_A_MAJORITY",
                "A_HEARTBEAT_IS_A_WRITE",
                "THE_UNPROVEN_ASKS_THE_SOURCE",
                "A_REGISTER_HAS_ONE_HISTORY",
                "ENTRIES_ARE_WAITED_FOR",
                "REPLICAS_ACKNOWLEDGE",
                "ALL_KNOWN_REPLICAS_ACKNOWLEDGE"
            })
    void aReceiptDoesNotHoldWithout(Rule rule) {
        assertBroken(FORGOTTEN.without(rule), Property.RECEIPT);
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "A_MAJORITY_IS_FOLLOWED",
                "A_MAJORITY_IS_AS_OLD_AS_ITS_QUESTION",
                "A_MAJORITY_IS_OF_ALL_SENTINELS",
                "ALL_CONNECTIONS_LEAD_TO_THE_NAMED",
                "A_NEW_REGISTER_IS_WAITED_OUT",
                "A_LOST_CONNECTION_ENDS_THE_WAIT"
            })
    void norDoesItWithout(Rule rule) {
        assertBroken(FORGOTTEN.without(rule), Property.RECEIPT);
    }

    @ParameterizedTest
    @EnumSource(names = {"A_MAJORITY_ENDS_WITH_THE_CONNECTION", "THE_WRITE_IS_READ_BACK"})
    void norDoesItWhereConnectionsAreMadeLateWithout(Rule rule) {
        assertBroken(APART.without(rule), Property.RECEIPT);
    }

    /** A replica that the Sentinels do not know, and that has the ban, is no help. */
    @Test
    void replicasAreToldByTheirAddresses() {
        assertBroken(Setting.of(AN_UNKNOWN_REPLICA).without(Rule.REPLICAS_ARE_TOLD_BY_ADDRESS), Property.RECEIPT);
    }

    /** Where replicas are only counted, the Sentinels have to be asked afterwards; that is enough if no replica comes while they change their minds. */
    @Test
    void aMajorityIsAskedAfterTheReplicas() {
        Setting counted = Setting.of(AN_UNKNOWN_REPLICA_LATER).without(Rule.REPLICAS_ARE_TOLD_BY_ADDRESS);
        assertNothingIsBroken(counted);
        assertBroken(counted.without(Rule.A_MAJORITY_IS_ASKED_AFTER), Property.RECEIPT);
    }

    /** A replaced primary that has kept a replica takes writes: {@code min-replicas-to-write} does not replace the majority. */
    @Test
    void minReplicasAloneIsNoFence() {
        Setting setting = Setting.of(THE_OLD_PRIMARY_IS_FORGOTTEN, A_SECOND_REPLICA, AN_UNKNOWN_REPLICA, MIN_REPLICAS);
        assertBroken(setting.without(Rule.THE_WATERMARK_NEEDS_A_MAJORITY), Property.RECEIPT);
    }

    /** What is assumed of Redis: Sentinels have a server close its connections when they change its role. */
    @Test
    void aConnectionThatOutlivesTheRoleOfItsServerBreaksAReceipt() {
        assertBroken(Setting.of(A_SECOND_FAILOVER, CONNECTIONS_OUTLIVE_THE_ROLE), Property.RECEIPT);
    }

    @ParameterizedTest
    @EnumSource(names = "FENCES_ARE_SENT_AGAIN")
    void anOldValueStaysWithout(Rule rule) {
        assertBroken(FORGOTTEN.without(rule), Property.STAYS);
    }

    private static void assertNothingIsBroken(Setting setting) {
        FailoverModel model = new FailoverModel(setting);
        Finding<Property> finding = Table.all("failover " + setting.chances(), model, Property.class);
        assertThat(finding.broken()).isEmpty();
        assertThat(model.oldestAnswer()).as("the age of the oldest answer").isLessThanOrEqualTo(Time.BOUND);
    }

    private static void assertBroken(Setting setting, Property property) {
        String row =
                "failover " + setting.chances() + " without " + EnumSet.complementOf(EnumSet.copyOf(setting.rules()));
        Finding<Property> finding = Table.until(row, new FailoverModel(setting), Property.class, EnumSet.of(property));
        assertThat(finding.broken()).as(row).containsKey(property);
    }
}
