package dev.usher.relay;

import dev.usher.testkit.MariaDbServer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;

/** What may go wrong with a table that triggers fill in MariaDB. */
@Tag("thorough")
class MariaDbTableFaultsIT extends RelayFaults {

    MariaDbTableFaultsIT() {
        super(RelayKind.MARIADB_TABLE);
    }

    @BeforeAll
    static void requireServer() {
        Assumptions.assumeTrue(MariaDbServer.isThere(), MariaDbServer.ABSENT);
    }
}
