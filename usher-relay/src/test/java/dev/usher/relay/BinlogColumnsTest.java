package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HexFormat;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** UUIDs as servers store them. */
class BinlogColumnsTest {

    @ParameterizedTest
    @CsvSource({
        "550e8400e29b41d4a716446655440000, 550e8400-e29b-41d4-a716-446655440000",
        "446655440000a71641d4e29b550e8400, 550e8400-e29b-41d4-a716-446655440000",
        "00c04fd4300080b411d19dad6ba7b810, 6ba7b810-9dad-11d1-80b4-00c04fd43000",
        "01890a5dac96774bbcceb302099a8057, 01890a5d-ac96-774b-bcce-b302099a8057",
        "00000000000000000000000000000000, 00000000-0000-0000-0000-000000000000",
        "ffffffffffffffffffffffffffffffff, ffffffff-ffff-ffff-ffff-ffffffffffff"
    })
    void inTheOrderOfTheTextOrWithTheirPartsReversed(String stored, String text) {
        assertThat(BinlogColumns.uuid(HexFormat.of().parseHex(stored))).isEqualTo(text);
    }
}
