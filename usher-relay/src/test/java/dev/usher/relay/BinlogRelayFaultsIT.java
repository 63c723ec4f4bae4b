package dev.usher.relay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.usher.testkit.MariaDbServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What may go wrong with the binlog of MariaDB. */
@Tag("thorough")
class BinlogRelayFaultsIT extends LogRelayFaults {

    BinlogRelayFaultsIT() {
        super(RelayKind.MARIADB_BINLOG);
    }

    @BeforeAll
    static void requireServer() {
        Assumptions.assumeTrue(MariaDbServer.isThere(), MariaDbServer.ABSENT);
    }

    @Test
    void aLogThatBeginsAnewUnderARelayLosesNothing() {
        ChangeRelay relay = following();
        for (int round = 1; round <= 3; round++) {
            readAll();
            site.sql("RESET MASTER");
            site.sql("UPDATE users SET name = 'begun anew " + round + "' WHERE id <= 25");
            awaitAgreement("round " + round);
            await().atMost(PATIENCE).until(() -> site.isSettled(relay, one));
        }
        assertThat(relay.health().flushes()).isBetween(2L, 4L);
    }

    @Test
    void aLogThatBeginsAnewWithoutARelayHasEverythingFlushed() {
        ChangeRelay relay = following();
        readAll();
        relay.close();
        site.sql("UPDATE users SET name = 'unheard' WHERE id = 3");
        site.sql("RESET MASTER");
        // Beyond the bookmark.
        site.insertOthers();
        ChangeRelay next = site.relay(one);
        awaitAgreement("begun anew");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    @Test
    void aLogWhoseFilesAreGoneHasEverythingFlushed() {
        ChangeRelay relay = following();
        readAll();
        relay.close();
        site.sql("UPDATE users SET name = 'purged' WHERE id = 4");
        site.sql("FLUSH BINARY LOGS");
        // The server keeps a file while it sends it to the relay that has ended.
        Path file = site.server(MariaDbServer.class).data().resolve("binlog.000001");
        await().atMost(PATIENCE).until(() -> {
            site.sql("PURGE BINARY LOGS TO 'binlog.000002'");
            return !Files.exists(file);
        });
        ChangeRelay next = site.relay(one);
        awaitAgreement("purged");
        assertThat(next.health().flushes()).isEqualTo(1);
    }

    @Test
    void thePositionMovesOnWhenOtherTablesChange() {
        ChangeRelay relay = following();
        long flushes = relay.health().flushes();
        for (int i = 0; i < 5; i++) {
            site.insertOthers();
        }
        site.sql("FLUSH BINARY LOGS");
        await().atMost(PATIENCE).until(() -> {
            Long position = relay.health().position();
            return position != null && BinlogPlace.of(position).file() == 2;
        });
        assertThat(relay.health().flushes()).isEqualTo(flushes);
    }

    @Test
    void changesOfATableThatIsAlteredOrReplacedLoseNothing() {
        ChangeRelay relay = following();
        for (String change : List.of(
                "ALTER TABLE users ADD extra int FIRST",
                "ALTER TABLE users MODIFY name varchar(100) AFTER status",
                "CREATE OR REPLACE TABLE newer LIKE users",
                "INSERT INTO newer SELECT * FROM users",
                "UPDATE newer SET name = 'newer'",
                "RENAME TABLE users TO older, newer TO users")) {
            readAll();
            site.sql(change);
            site.sql("UPDATE users SET name = 'after it' WHERE id = 7");
            awaitAgreement(change);
        }
        assertThat(relay.health().isActive()).isTrue();
    }
}
