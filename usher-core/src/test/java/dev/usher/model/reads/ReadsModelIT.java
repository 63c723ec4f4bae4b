package dev.usher.model.reads;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.model.Explorer.Finding;
import dev.usher.model.Table;
import java.util.EnumSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Answers under way, explored exhaustively: with all rules nothing is broken, and without any one of them something is. */
class ReadsModelIT {

    @Test
    void aReceiptHoldsOnOneServer() {
        assertNothingIsBroken(Setting.of(false));
    }

    @Test
    @Tag("thorough")
    void aReceiptHoldsWhileThePrimaryIsReplaced() {
        assertNothingIsBroken(Setting.of(true));
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "MEMORY_IS_OF_THE_SESSION_OF_THE_READ",
                "A_PLACE_IS_RESERVED_BEFORE_THE_READ",
                "A_WAITER_NEEDS_A_LATER_STEP",
                "A_RENEWAL_NEEDS_THE_CLAIM",
                "A_FILL_NEEDS_THE_CLAIM",
                "A_FENCE_TAKES_THE_GUARD"
            })
    void itDoesNotOnOneServerWithout(Rule rule) {
        assertBroken(Setting.of(false).without(rule), Property.RECEIPT);
    }

    @ParameterizedTest
    @EnumSource(names = {"A_RENEWAL_NEEDS_THE_CLAIM", "A_FILL_NEEDS_THE_CLAIM", "A_FENCE_TAKES_THE_GUARD"})
    void anOldValueStaysWithout(Rule rule) {
        assertBroken(Setting.of(false).without(rule), Property.STAYS);
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "A_CLAIM_IS_BELIEVED_WHEN_IT_COMES",
                "A_FILL_IS_BELIEVED_WHEN_IT_COMES",
                "THE_UNPROVEN_ASKS_THE_SOURCE",
                "REPLICAS_ACKNOWLEDGE"
            })
    @Tag("thorough")
    void norDoesItWhileThePrimaryIsReplacedWithout(Rule rule) {
        assertBroken(Setting.of(true).without(rule), Property.RECEIPT);
    }

    private static void assertNothingIsBroken(Setting setting) {
        Finding<Property> finding = Table.all(rowOf(setting), new ReadsModel(setting), Property.class);
        assertThat(finding.broken()).isEmpty();
    }

    private static void assertBroken(Setting setting, Property property) {
        Finding<Property> finding =
                Table.until(rowOf(setting), new ReadsModel(setting), Property.class, EnumSet.of(property));
        assertThat(finding.broken()).as(rowOf(setting)).containsKey(property);
    }

    private static String rowOf(Setting setting) {
        return "reads, " + (setting.hasFailover() ? "a failover" : "one server") + " without "
                + EnumSet.complementOf(EnumSet.copyOf(setting.rules()));
    }
}
