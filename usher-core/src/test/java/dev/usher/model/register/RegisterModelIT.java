package dev.usher.model.register;

import static dev.usher.model.register.Chance.AN_EVICTION;
import static dev.usher.model.register.Chance.AN_OLDER_REGISTER;
import static dev.usher.model.register.Chance.A_FLUSH;
import static dev.usher.model.register.Chance.A_RESTART;
import static dev.usher.model.register.Chance.OTHER_BANS;
import static dev.usher.model.register.Chance.SWEEPS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.usher.model.Explorer.Finding;
import dev.usher.model.Table;
import java.util.EnumSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A register that loses entries and numbers, explored exhaustively: with all rules nothing is broken, and without any one of them something is. */
class RegisterModelIT {

    @ParameterizedTest
    @MethodSource("losses")
    void aReceiptHoldsAndNothingStaysOpen(Setting setting) {
        assertNothingIsBroken(setting);
    }

    static Stream<Arguments> losses() {
        return Stream.of(
                argumentSet("an eviction", Setting.of(AN_EVICTION)),
                argumentSet("a restart", Setting.of(A_RESTART)),
                argumentSet("a node that no ban waits for, and that is taken out", Setting.of(SWEEPS)));
    }

    @ParameterizedTest
    @MethodSource("largeLosses")
    @Tag("thorough")
    void aReceiptHoldsAndNothingStaysOpenHoweverManyStatesThereAre(Setting setting) {
        assertNothingIsBroken(setting);
    }

    static Stream<Arguments> largeLosses() {
        return Stream.of(
                argumentSet("a flush", Setting.of(A_FLUSH)),
                argumentSet("a ring that wraps, and a node that is taken out", Setting.of(OTHER_BANS)));
    }

    @ParameterizedTest
    @MethodSource("rules")
    void itDoesNotWithout(Rule rule, Chance chance, Property property) {
        assertBroken(Setting.of(chance).without(rule), property);
    }

    static Stream<Arguments> rules() {
        return Stream.of(
                Arguments.of(Rule.A_NEW_REGISTER_IS_WAITED_OUT, AN_EVICTION, Property.RECEIPT),
                Arguments.of(Rule.ENTRIES_ARE_WAITED_FOR, AN_EVICTION, Property.RECEIPT),
                Arguments.of(Rule.A_HEARTBEAT_FINDS_THE_ENTRY, AN_EVICTION, Property.RECEIPT),
                Arguments.of(Rule.THE_NUMBER_COMES_AFTER_THE_END, AN_EVICTION, Property.OPEN),
                Arguments.of(Rule.A_NEW_REGISTER_IS_EVERYONE, AN_EVICTION, Property.OPEN),
                Arguments.of(Rule.A_NEW_NUMBER_NEEDS_AN_ENTRY, OTHER_BANS, Property.RECEIPT),
                Arguments.of(Rule.AN_ENTRY_IS_WRITTEN_NOW_AND_THEN, SWEEPS, Property.RECEIPT));
    }

    @ParameterizedTest
    @MethodSource("largeRules")
    @Tag("thorough")
    void norDoesItWithout(Rule rule, Setting setting, Property property) {
        assertBroken(setting.without(rule), property);
    }

    static Stream<Arguments> largeRules() {
        return Stream.of(
                // Each of both alone is enough.
                Arguments.of(
                        Rule.A_FLUSH_ENDS_THE_SESSION,
                        Setting.of(A_FLUSH).without(Rule.A_NEW_REGISTER_IS_EVERYONE),
                        Property.RECEIPT),
                Arguments.of(Rule.MISSED_NAMES_ARE_EVERYONE, Setting.of(OTHER_BANS), Property.OPEN),
                Arguments.of(Rule.A_SILENT_NODE_IS_WAITED_OUT, Setting.of(OTHER_BANS), Property.RECEIPT),
                Arguments.of(Rule.AN_ENTRY_THAT_CHANGES_STAYS, Setting.of(OTHER_BANS), Property.RECEIPT));
    }

    /**
     * What is assumed of Redis: a server that is restarted with older data has a new replication history, and so a new register. In one of the same history, a number
     * may be given twice, and a node that has seen the first says that it has seen the second.
     */
    @Test
    @Tag("thorough")
    void aNumberThatIsGivenTwiceLeavesThingsOpen() {
        assertBroken(Setting.of(AN_OLDER_REGISTER, OTHER_BANS), Property.OPEN);
    }

    private static void assertNothingIsBroken(Setting setting) {
        Finding<Property> finding =
                Table.all("register " + setting.chances(), new RegisterModel(setting), Property.class);
        assertThat(finding.broken()).isEmpty();
    }

    private static void assertBroken(Setting setting, Property property) {
        String row =
                "register " + setting.chances() + " without " + EnumSet.complementOf(EnumSet.copyOf(setting.rules()));
        Finding<Property> finding = Table.until(row, new RegisterModel(setting), Property.class, EnumSet.of(property));
        assertThat(finding.broken()).as(row).containsKey(property);
    }
}
