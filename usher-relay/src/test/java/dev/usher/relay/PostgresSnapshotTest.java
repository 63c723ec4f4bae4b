package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PostgresSnapshotTest {

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "735:741:735,738 | 734 | true",
                "735:741:735,738 | 735 | false",
                "735:741:735,738 | 737 | true",
                "735:741:735,738 | 738 | false",
                "735:741:735,738 | 741 | false",
                "735:741:735,738 | 900 | false",
                "741:741: | 740 | true",
                "741:741: | 741 | false",
                // Behind a wrap of 32 bits: 2^32 is 4294967296.
                "4294967300:4294967310:4294967300 | 4 | false",
                "4294967300:4294967310:4294967300 | 5 | true",
                "4294967300:4294967310:4294967300 | 4294967295 | true",
                "4294967290:4294967290: | 3 | false",
                "8589934600:8589934600: | 4294967290 | true",
            })
    void aTransactionIsSeenIfItIsBeforeTheEndAndNotUnderWay(String snapshot, long transaction, boolean isSeen) {
        assertThat(PostgresSnapshot.of(snapshot).sees(Set.of(transaction))).isEqualTo(isSeen);
    }
}
