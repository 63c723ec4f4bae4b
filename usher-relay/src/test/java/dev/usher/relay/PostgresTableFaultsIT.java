package dev.usher.relay;

import org.junit.jupiter.api.Tag;

/** What may go wrong with a table that triggers fill in PostgreSQL. */
@Tag("thorough")
class PostgresTableFaultsIT extends RelayFaults {

    PostgresTableFaultsIT() {
        super(RelayKind.POSTGRES_TABLE);
    }
}
