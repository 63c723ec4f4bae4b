package dev.usher.server.attempt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClientAddressTest {

    @ParameterizedTest
    @CsvSource({
        "192.0.2.1, 192.0.2.1, true",
        "192.0.2.1, 192.0.2.2, false",
        "2001:db8:1:2::1, 2001:db8:1:2:ffff::9, true",
        "2001:db8:1:2::1, 2001:db8:1:3::1, false",
        "fe80::1%eth0, fe80::2, true",
        "::ffff:192.0.2.1, 192.0.2.1, true",
        "::ffff:192.0.2.1, ::ffff:192.0.2.2, false",
        "no-address, no-address, true",
        "no-address, another, false",
    })
    void addressesOfOneCallerHaveOneNetwork(String one, String other, boolean same) {
        boolean equal = Arrays.equals(ClientAddress.network(one), ClientAddress.network(other));
        assertThat(equal).isEqualTo(same);
    }
}
