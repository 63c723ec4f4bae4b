package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.usher.relay.BinlogAddress.Tls;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a URL says to the reader of the binlog. */
class BinlogAddressTest {

    @Test
    void itsParts() {
        BinlogAddress address = new BinlogAddress("jdbc:mariadb://db.example/app?user=a&password=b%26c&timezone=UTC");
        assertThat(address.host() + " " + address.port() + " " + address.database())
                .isEqualTo("db.example 3306 app");
        assertThat(address.parameter("password")).isEqualTo("b&c");
        assertThat(address.urlWithoutUser()).isEqualTo("jdbc:mariadb://db.example/app?timezone=UTC");
        BinlogAddress other = new BinlogAddress("jdbc:mysql://[::1]:3307/my-app");
        assertThat(other.host() + " " + other.port() + " " + other.database()).isEqualTo("::1 3307 my-app");
        assertThat(other.isMySql()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        "jdbc:mariadb://db/app, NONE",
        "jdbc:mariadb://db/app?sslMode=disable, NONE",
        "jdbc:mariadb://db/app?sslMode=trust, ENCRYPTED",
        "jdbc:mariadb://db/app?sslMode=verify-ca, VERIFY_CA",
        "jdbc:mariadb://db/app?sslMode=VERIFY_FULL, VERIFY_HOST",
        "jdbc:mariadb://db/app?useSsl=true, VERIFY_HOST",
        "jdbc:mariadb://db/app?useSsl=true&trustServerCertificate=true, ENCRYPTED",
        "jdbc:mysql://db/app, IF_OFFERED",
        "jdbc:mysql://db/app?useSSL=false, NONE",
        "jdbc:mysql://db/app?sslMode=REQUIRED, ENCRYPTED",
        "jdbc:mysql://db/app?sslMode=VERIFY_IDENTITY, VERIFY_HOST"
    })
    void howTheConnectionIsSecured(String url, Tls tls) {
        assertThat(new BinlogAddress(url).tls()).isEqualTo(tls);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jdbc:postgresql://db/app?password=secret",
                "jdbc:mariadb://one,two/app?password=secret",
                "jdbc:mariadb:replication://one/app?password=secret",
                "jdbc:mariadb://db?password=secret",
                "jdbc:mariadb://db/app?sslMode=secret",
                "jdbc:mysql://db/app?autoReconnect=true&password=secret",
                "jdbc:mariadb://db/app?sslMode=trust&keyStore=secret"
            })
    void whatCannotBeIsRefusedAndNotQuoted(String url) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new BinlogAddress(url))
                .withMessageNotContaining("secret");
    }
}
